export {
  type Direction,
  JOURNAL_FORMAT,
  JOURNAL_REVISION,
  type JournalEntry,
  type JournalFact,
  type NoteTopic,
  type Person,
  type StepOutcome,
  type Trigger,
  TRIGGERS,
  type TurnCause,
} from './entry.ts';
export { linkOf, textOf } from './chain.ts';
export { advance, fold } from './fold.ts';
export { followEntries, type FollowSource } from './follow.ts';
export type { Head } from './stored.ts';
export { entriesInRows, recordInRow, type Row, runsInRows } from './rows.ts';
export { type Downtime, downtimeOf, type Span } from './downtime.ts';
export { type Expectation, expectationOf } from './expected.ts';
export { figureOf, type Figures, type Grouping, type RunFigure, type Stats, statsOf } from './figures.ts';
export type {
  Approval,
  LeaseTaken,
  Note,
  PhaseVisit,
  ProbeFinding,
  RunState,
  StepState,
  StepStatus,
  Turn,
} from './state.ts';
