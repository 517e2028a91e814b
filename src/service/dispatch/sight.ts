import { type RunState } from '../../journal/index.ts';
import { hasBegun, standingOf } from '../../rollback/index.ts';
import { type Cancel, type Claim, isCarriedOut } from './claim.ts';

/** All that is known of a claimed run at one moment. */
export interface Sight {
  readonly run: string;
  readonly claim: Claim;
  /** Undefined: the journal has no such run. */
  readonly state: RunState | undefined;
  readonly cancel?: Cancel;
  /** Of the process in the claim. */
  readonly process: 'none' | 'at work' | 'gone' | 'elsewhere';
  /** The service in the claim ran on this machine, and does no more. @default false */
  readonly isOwnerGone?: boolean;
  /** This service has no file of the stack; another one may. @default false */
  readonly isUnknownHere?: boolean;
}

export interface Limits {
  /** Runs that one service carries at a time. The stack's lease allows one a stack, whatever is set. */
  readonly runs: number;
}

/** Why there is no room to begin or go on with this run now; undefined: there is. */
export function crowdedBy(
  sight: Sight,
  all: readonly Sight[],
  { self, limits, now }: { readonly self: string; readonly limits: Limits; readonly now: number },
): string | undefined {
  const others = all.filter(({ run }) => run !== sight.run);
  const rival = others.find((other) => other.claim.stack === sight.claim.stack && goesFirst(other, sight, now));
  if (rival !== undefined) return `run ${rival.run} of the same stack goes first`;
  const mine = others.filter(({ claim, process }) => process === 'at work' && claim.owner?.service === self);
  return mine.length < limits.runs ? undefined : `${mine.length} runs are at work`;
}

/** What has begun goes on first, then whoever came first; one that waits for people keeps nobody from anything. */
function goesFirst(other: Sight, sight: Sight, now: number): boolean {
  const { state } = other;
  if (state === undefined || isCarriedOut(state, other.claim)) return false;
  if (other.process === 'at work') return true;
  if (isBegun(other)) return !isBegun(sight) ? !takesOver(sight, other.run) : other.run < sight.run;
  if (other.claim.stuck === true || standingOf(state, now).kind === 'waiting') return false;
  return !isBegun(sight) && other.run < sight.run;
}

function takesOver({ state }: Sight, run: string): boolean {
  return state?.abandons?.run === run;
}

function isBegun({ state }: Sight): boolean {
  return state !== undefined && hasBegun(state);
}
