import { randomUUID } from 'node:crypto';
import { isBackstayError } from '../../errors/index.ts';
import { fold } from '../../journal/index.ts';
import type { Notice, NotificationPolicy, NotificationSetting } from '../../model/index.ts';
import type { ServiceRecord } from '../../ports/index.ts';
import { Bell } from '../bell.ts';
import type { ServiceDeps } from '../deps.ts';
import type { Log } from '../log.ts';
import { isOpen } from './alarms.ts';
import { channelOf, REQUEST_MS } from './channels/index.ts';
import { begun, type Delivery, deliveryIn, ended, isSettled, jsonOf, laneIn, type Outcome } from './delivery.ts';
import { render } from './render.ts';
import { type Room, schedule, type Waiting } from './schedule.ts';

export interface NotifyDeps
  extends Pick<ServiceDeps, 'records' | 'journal' | 'clock' | 'http' | 'keys' | 'by' | 'stack'> {
  readonly log: Log;
  /** 0 to 1. @default by chance */
  readonly random?: () => number;
}

/** Milliseconds for a whole sending, of several requests where it takes several. */
const SENDING_MS = 3 * REQUEST_MS;
/** Milliseconds that a sending which is under way still has when the service is to stop. */
const GRACE_MS = 3_000;
/**
 * Milliseconds after which a sending that nobody has brought to an end is taken for dead: counted by our own clock from when
 * we first saw it, so that no two clocks have to agree. Longer than any sending that is alive.
 */
const DEAD_MS = 2 * SENDING_MS;
/** What only says that a run goes on too long. */
const WAKING: ReadonlySet<Notice> = new Set(['escalation', 'run.stuck', 'run.late']);
const ROOM: Room = { inAll: 32, perChannel: 2 };

interface Held extends Waiting {
  readonly record: ServiceRecord;
}

/**
 * Sends what is owed, until the signal fires. Any number of services may do so on the same records: each delivery is begun
 * by a compare-and-set, so that two never send at one time. Resolves when what was under way has ended.
 * @throws what the records throw; started again it goes on where it was
 */
export async function deliver(deps: NotifyDeps, signal: AbortSignal): Promise<void> {
  const outbox = new Outbox(deps, signal);
  await outbox.run();
}

class Outbox {
  readonly #deps: NotifyDeps;
  readonly #signal: AbortSignal;
  readonly #failed = new AbortController();
  /** Ends what is under way. */
  readonly #enough = new AbortController();
  readonly #bell: Bell;
  readonly #held = new Map<string, Held>();
  /** Channels by lane. */
  readonly #busy = new Map<string, string>();
  readonly #sending = new Set<Promise<void>>();
  /** Whose claims they are: a service that was started anew is another one. */
  readonly #self: string;

  constructor(deps: NotifyDeps, signal: AbortSignal) {
    this.#deps = deps;
    this.#signal = AbortSignal.any([signal, this.#failed.signal]);
    this.#bell = new Bell(deps.clock);
    this.#self = `${deps.by.host}/${randomUUID().slice(0, 8)}`;
  }

  async run(): Promise<void> {
    const listening = this.#listen();
    try {
      while (!this.#signal.aborted) {
        const now = this.#deps.clock.now();
        const { ready, wakeAt } = schedule(this.#held.values(), { busy: this.#busy, now, room: ROOM });
        for (const key of ready) this.#begin(key);
        await this.#bell.rung(wakeAt, this.#signal);
      }
    } finally {
      const grace = setTimeout(() => this.#enough.abort(), GRACE_MS);
      await Promise.allSettled([listening, ...this.#sending]);
      clearTimeout(grace);
    }
    const { aborted, reason } = this.#failed.signal;
    if (aborted) throw reason;
  }

  /** Listens first and looks then, so that nothing falls between the two. */
  async #listen(): Promise<void> {
    const { records } = this.#deps;
    try {
      const changes = records.follow('delivery', this.#signal)[Symbol.asyncIterator]();
      let next = changes.next();
      // What comes of it is seen below; an error that nobody awaits yet would end the process.
      next.catch(() => undefined);
      for (const record of await records.list('delivery')) this.#take(record);
      for (let change = await next; change.done !== true; change = await next) {
        const { key, record } = change.value;
        if (record === undefined) this.#held.delete(key);
        else this.#take(record);
        this.#bell.ring();
        next = changes.next();
      }
      // Deaf, nobody would be told anything any more.
      this.#fail(new TypeError('what follows the deliveries came to an end'));
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    if (!this.#signal.aborted) this.#failed.abort(error);
  }

  #take(record: ServiceRecord): void {
    const { key, version } = record;
    const known = this.#held.get(key);
    if (known !== undefined && known.record.version >= version) return;
    const delivery = deliveryIn(record);
    if (isSettled(delivery)) this.#held.delete(key);
    else {
      const at = delivery.state === 'sending' ? this.#deps.clock.now() + DEAD_MS : Date.parse(delivery.dueAt);
      const channel = `${delivery.telling.stack}/${delivery.channel}`;
      this.#held.set(key, { key, lane: laneIn(key), channel, at, record });
    }
    this.#bell.ring();
  }

  #begin(key: string): void {
    const held = this.#held.get(key);
    if (held === undefined) return;
    this.#busy.set(held.lane, held.channel);
    const sending: Promise<void> = this.#send(held)
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        this.#busy.delete(held.lane);
        this.#sending.delete(sending);
        this.#bell.ring();
      });
    this.#sending.add(sending);
  }

  async #send({ key, record: { version } }: Held): Promise<void> {
    const { records, clock, random = Math.random } = this.#deps;
    const lane = await records.list('delivery', { prefix: laneIn(key) });
    const record = lane.find((one) => one.key === key);
    if (record === undefined) {
      this.#held.delete(key);
      return;
    }
    // Somebody else made or changed one of them since we found it due: we are not told yet, or were told just now.
    const earlier = lane.filter((one) => one.key < key);
    const open = earlier.filter((one) => !isSettled(deliveryIn(one)));
    const isNew = record.version !== version;
    if (open.length > 0 || isNew) {
      for (const one of [...open, record]) this.#take(one);
      return;
    }
    const claimed = begun(deliveryIn(record), this.#self);
    const mine = await records.put('delivery', key, record.version, jsonOf(claimed));
    if (mine === undefined) return await this.#lookAgain(key);
    const outcome = await this.#attempt(claimed, earlier.map(deliveryIn));
    const after = ended(claimed, outcome, clock.now(), random());
    this.#tell(after);
    const written = await records.put('delivery', key, mine.version, jsonOf(after));
    if (written === undefined) await this.#lookAgain(key);
    else this.#take(written);
  }

  async #lookAgain(key: string): Promise<void> {
    const record = await this.#deps.records.get('delivery', key);
    if (record === undefined) this.#held.delete(key);
    else this.#take(record);
  }

  async #attempt({ telling, channel: name, attempts }: Delivery, earlier: readonly Delivery[]): Promise<Outcome> {
    const moot = await this.#mootBecause(telling);
    if (moot !== undefined) return { kind: 'withdrawn', because: moot };
    const found = await this.#settingOf(telling.stack, name);
    if ('kind' in found) return found;
    const { setting, policy } = found;
    const reference = earlier.map((one) => one.reference).findLast((one) => one !== undefined);
    // Whatever was begun and has no known end may have arrived.
    const repeated = attempts > 1 || earlier.some((one) => one.state !== 'delivered');
    const limit = AbortSignal.timeout(SENDING_MS);
    const signal = AbortSignal.any([this.#enough.signal, limit]);
    try {
      const about = { repeated, ...(reference === undefined ? {} : { reference }), signal };
      return await channelOf(setting, this.#deps).send(render(telling, setting, policy.page), about);
    } catch (error) {
      if (!signal.aborted) throw error;
      // Given back, so that the next service need not wait until this one is taken for dead.
      const because = limit.aborted ? `${name} takes longer than ${SENDING_MS / 1000} s` : 'the service was stopped';
      return { kind: 'retry', because };
    }
  }

  /** An alarm that was held up until it was none any more wakes nobody. */
  async #mootBecause({ notice, run }: Delivery['telling']): Promise<string | undefined> {
    if (run === undefined || !WAKING.has(notice)) return undefined;
    const entries = await this.#deps.journal.read(run);
    if (entries.length === 0) return 'the run is not there any more';
    return isOpen(fold(entries)) ? undefined : 'the run was over before it could be sent';
  }

  /** By the stack file as it is now: keys are exchanged and channels are taken out while deliveries wait. */
  async #settingOf(
    stack: string,
    name: string,
  ): Promise<{ readonly setting: NotificationSetting; readonly policy: NotificationPolicy } | Outcome> {
    try {
      const { notifications: policy } = await this.#deps.stack(stack);
      const setting = policy?.channels.find((one) => one.name === name);
      if (policy === undefined || setting === undefined)
        return { kind: 'refused', because: `the stack ${stack} has no channel ${name} any more` };
      return { setting, policy };
    } catch (error) {
      if (isBackstayError(error, 'STACK_UNKNOWN'))
        return { kind: 'refused', because: `the stack ${stack} has no file any more` };
      if (isBackstayError(error))
        return { kind: 'retry', because: `the file of ${stack} cannot be used (${error.code})` };
      throw error;
    }
  }

  #tell({ telling, channel, state, attempts, because }: Delivery): void {
    const level = state === 'delivered' || state === 'withdrawn' ? 'info' : 'warn';
    const what = { id: telling.id, stack: telling.stack, channel, state, attempts };
    this.#deps.log({ level, event: 'notice', ...what, ...(because === undefined ? {} : { because }) });
  }
}
