import { join } from 'node:path';
import type { RunState } from '../../journal/index.ts';
import type { Json } from '../../model/index.ts';
import type { RunMark, ServiceRecord } from '../../ports/index.ts';
import type { Holder } from '../claim.ts';

/**
 * That services carry a run, and which of them does: record `claim`, keyed by the run's id, from before the run is created
 * until it is over. It saves work and proves nothing: what lets only one process act is the stack's lease.
 */
export interface Claim {
  readonly stack: string;
  /** In whose name the run is carried. */
  readonly by: string;
  /** ISO 8601. */
  readonly askedAt: string;
  /** When the run had ended mixed before it was asked for; a later end is this one's. ISO 8601. */
  readonly endedAt?: string;
  readonly owner?: Owner;
  /** The last one that was started for it. */
  readonly process?: ClaimedProcess;
  /** Processes in a row that ended without the run's end, and without a step's. */
  readonly failures: number;
  /** ISO 8601: nothing is started before. */
  readonly notBefore?: string;
  /** Why the last process ended, where it said so. */
  readonly problem?: Problem;
  /** Nothing is started any more until a person asks again. */
  readonly stuck?: true;
}

/** The service at work on it. */
export interface Owner extends Holder {
  readonly host: string;
  /** Its process: one that is gone has nothing any more. */
  readonly process?: RunMark;
}

export interface ClaimedProcess extends RunMark {
  /** The run's last entry, and its steps that had an end, when it was started. */
  readonly since: number;
  readonly done: number;
  /** It was told to stop. */
  readonly told?: true;
}

/** What a process that ended said of the reason. */
export interface Problem {
  readonly code: string;
  readonly message: string;
  readonly next?: string;
  /** The next one would say the same. */
  readonly isFinal?: true;
}

/** Record `cancel`, keyed by the run's id. */
export interface Cancel {
  readonly by: string;
  readonly reason: string;
  /** ISO 8601. */
  readonly at: string;
}

/** A service that does not renew its claim for so long is taken for gone. Milliseconds. */
export const CLAIM_MS = 15_000;

export function claimIn(record: ServiceRecord): Claim {
  return record.value as unknown as Claim;
}

export function cancelIn(record: ServiceRecord): Cancel {
  return record.value as unknown as Cancel;
}

export function stored(value: Claim | Cancel): Json {
  return value as unknown as Json;
}

/** Whether the run came to the end that was asked for; a person decides about one that ended mixed. */
export function isCarriedOut({ ended }: RunState, { endedAt }: Pick<Claim, 'endedAt'>): boolean {
  return ended !== undefined && (ended.outcome !== 'mixed' || ended.at !== endedAt);
}

/** Steps that came to an end, forward and back. */
export function stepsDone({ steps, reverses }: RunState): number {
  return [...steps.values(), ...reverses.values()].filter(({ endedAt }) => endedAt !== undefined).length;
}

/** What the run's processes say; next to its report. */
export function logPath(stateDir: string, run: string): string {
  return join(stateDir, 'runs', run, 'service.log');
}
