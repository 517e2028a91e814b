import type { Phase } from '../model/index.ts';

/** One run a stack at a time, across machines. Errors: LEASE_HELD (holder, journal, phase and age), LEASE_LOST. */
export interface Lock {
  /**
   * Takes the stack for a run. `admit` is asked once nobody is at work on it and before anything is written, when another run
   * was left unfinished there; what it throws leaves everything as it is. Absent: that run is passed over.
   */
  acquire(stack: string, holder: LockHolder, admit?: (left: UnfinishedRun) => Promise<void>): Promise<HeldLock>;
  /** One look, without waiting: changes nothing, proves nothing. */
  look(stack: string): Promise<LockSight>;
}

export interface LockHolder {
  readonly run: string;
  /** Where its journal lies: a file, or a database without its password. */
  readonly journal: string;
  readonly user: string;
  readonly host: string;
  readonly phase?: Phase;
}

/** A run that had the stack and did not come to an end that leaves nothing to do. */
export interface UnfinishedRun extends LockHolder {
  /** ISO 8601: when it was last known to work. */
  readonly since: string;
}

export interface LockSight {
  /** Who holds the stack; perhaps dead. `since` is when it was taken, ISO 8601. */
  readonly holder?: LockHolder & { readonly since: string };
  /** The run that is surely not at work and has something left to do. */
  readonly unfinished?: UnfinishedRun;
}

/** From whom a lease came, and why it could be taken. */
export interface Takeover {
  readonly from: LockHolder;
  /** `released`, `process gone` or `not renewed for N s`. */
  readonly reason: string;
}

export interface HeldLock {
  /** Grows with every acquisition: the fencing token. */
  readonly token: number;
  /** Absent for the first holder ever. */
  readonly takeover?: Takeover;
  /** Aborted when the lease is lost. */
  readonly lost: AbortSignal;
  /** Throws LEASE_LOST when it is no longer ours. Asked before every effect. */
  assertHeld(): Promise<void>;
  /** As `assertHeld`, but asks nobody as long as the last renewal is so young that nobody can have taken it since. */
  assertFresh(): Promise<void>;
  /** Tells others the phase, in the background. */
  enter(phase: Phase): void;
  /** `unfinished` leaves word that this run has something left to do. */
  release(unfinished?: boolean): Promise<void>;
}
