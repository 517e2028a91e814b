export {
  type Direction,
  JOURNAL_FORMAT,
  type JournalEntry,
  type JournalFact,
  type Person,
  type StepOutcome,
  type TurnCause,
} from './entry.ts';
export { advance, fold } from './fold.ts';
export type { PhaseVisit, RunState, StepState, StepStatus, Turn } from './state.ts';
