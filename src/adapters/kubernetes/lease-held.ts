import { BackstayError, isBackstayError } from '../../errors/index.ts';
import type { KubeObject, ObjectRef, Phase } from '../../model/index.ts';
import type { Clock, Cluster, HeldLock, LockHolder, Takeover } from '../../ports/index.ts';
import { freeLease, heldLease, type LeaseContent, over, recordOf } from './lease-record.ts';
import type { ProcessMark } from './process-mark.ts';

/** As much of a cluster as a Lease needs; a database may keep one, too. */
export type LeaseCluster = Pick<Cluster, 'get' | 'create' | 'replace' | 'watch' | 'kindOf'>;

/** Renewals in the time after which others take over. */
const RENEWALS = 4.5;
/** Of the duration: as long as the last renewal is younger, nobody can have taken the Lease. */
const SURELY_OURS = 2 / 3;

export interface Claim {
  readonly ref: ObjectRef;
  readonly stack: string;
  readonly holder: LockHolder;
  readonly mark: ProcessMark;
  readonly durationMs: number;
  readonly token: number;
  readonly takeover: Takeover | undefined;
}

/** A Lease that is ours, renewed until it is given back or lost. */
export class HeldLease implements HeldLock {
  readonly token: number;
  readonly takeover?: Takeover;
  readonly #cluster: LeaseCluster;
  readonly #clock: Clock;
  readonly #claim: Claim;
  readonly #lost = new AbortController();
  readonly #stop = new AbortController();
  readonly #acquiredAt: string | undefined;
  readonly #renewing: Promise<void>;
  #wake = new AbortController();
  #writing: Promise<void> | undefined;
  #phase: Phase | undefined;
  #lease: KubeObject;
  /** When the last write that the server took was begun, on both clocks: one of them stands still while a laptop sleeps. */
  #renewed: { readonly monotonic: number; readonly now: number };

  constructor(cluster: LeaseCluster, clock: Clock, claim: Claim, lease: KubeObject) {
    this.#cluster = cluster;
    this.#clock = clock;
    this.#claim = claim;
    this.#lease = lease;
    this.#phase = claim.holder.phase;
    this.#acquiredAt = recordOf(lease).acquiredAt;
    this.#renewed = { monotonic: clock.monotonic(), now: clock.now() };
    this.token = claim.token;
    if (claim.takeover !== undefined) this.takeover = claim.takeover;
    this.#renewing = this.#renew();
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  async assertHeld(): Promise<void> {
    if (!this.#lost.signal.aborted) {
      if (this.#isSurelyOurs()) {
        const present = await this.#cluster.get(this.#claim.ref);
        if (!this.#isOurs(present)) this.#lose('somebody else holds it now');
      } else {
        // Suspended, or cut off: a look would be true only for the moment it was taken. A write settles it.
        await this.#write();
        this.#expire();
      }
    }
    this.#lost.signal.throwIfAborted();
  }

  async assertFresh(): Promise<void> {
    this.#lost.signal.throwIfAborted();
    if (!this.#isSurelyOurs()) await this.assertHeld();
  }

  enter(phase: Phase): void {
    this.#phase = phase;
    this.#wake.abort();
  }

  async release(unfinished = false): Promise<void> {
    this.#stop.abort();
    await this.#renewing;
    if (this.#lost.signal.aborted) return;
    try {
      await this.#cluster.replace(over(this.#lease, freeLease(this.#claim.ref, this.#content(), unfinished)));
    } catch (error) {
      if (!isBackstayError(error, 'OBJECT_MOVED')) throw error;
    }
  }

  async #renew(): Promise<void> {
    const { durationMs } = this.#claim;
    while (!this.#stop.signal.aborted && !this.#lost.signal.aborted) {
      const soon = this.#wake.signal;
      await this.#clock.delay(durationMs / RENEWALS, AbortSignal.any([this.#stop.signal, soon])).catch(() => undefined);
      if (this.#stop.signal.aborted || this.#lost.signal.aborted) return;
      if (soon.aborted) this.#wake = new AbortController();
      await this.#write();
      this.#expire();
    }
  }

  /** One renewal at a time; whoever asks meanwhile shares it. Never throws: what it found is in `lost` and `#renewed`. */
  async #write(): Promise<void> {
    this.#writing ??= this.#replace().finally(() => (this.#writing = undefined));
    await this.#writing;
  }

  async #replace(): Promise<void> {
    const begun = { monotonic: this.#clock.monotonic(), now: this.#clock.now() };
    try {
      this.#lease = await this.#cluster.replace(
        over(this.#lease, heldLease(this.#claim.ref, { ...this.#content(), acquiredAt: this.#acquiredAt })),
      );
      this.#renewed = begun;
    } catch (error) {
      if (isBackstayError(error, 'OBJECT_MOVED')) await this.#reread();
    }
  }

  /** A write of ours whose answer was lost looks like somebody else's: look before giving up. */
  async #reread(): Promise<void> {
    try {
      const present = await this.#cluster.get(this.#claim.ref);
      if (present !== undefined && this.#isOurs(present)) this.#lease = present;
      else this.#lose('somebody else holds it now');
    } catch {
      // Not reachable: the next renewal tries again, until the duration has passed.
    }
  }

  #content(): LeaseContent {
    const { holder, mark, token, durationMs } = this.#claim;
    const phase = this.#phase === undefined ? {} : { phase: this.#phase };
    return { holder: { ...holder, ...phase }, mark, token, durationMs, now: this.#clock.now() };
  }

  #isOurs(present: KubeObject | undefined): boolean {
    const { run, token } = recordOf(present);
    return run === this.#claim.holder.run && token === this.#claim.token;
  }

  #isSurelyOurs(): boolean {
    const monotonic = this.#clock.monotonic() - this.#renewed.monotonic;
    const now = this.#clock.now() - this.#renewed.now;
    return Math.max(monotonic, now) < this.#claim.durationMs * SURELY_OURS;
  }

  #expire(): void {
    if (this.#clock.monotonic() - this.#renewed.monotonic >= this.#claim.durationMs)
      this.#lose('it could not be renewed in time');
  }

  #lose(why: string): void {
    const { stack, holder } = this.#claim;
    this.#stop.abort();
    this.#lost.abort(
      new BackstayError('LEASE_LOST', `Run ${holder.run} lost stack ${stack}: ${why}.`, {
        next: `Run \`backstay resume ${holder.run}\`.`,
        details: { stack, run: holder.run },
      }),
    );
  }
}
