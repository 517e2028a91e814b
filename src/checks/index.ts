export type { CheckContext } from './context.ts';
export { runChecks } from './run-checks.ts';
export { askRunbook, parseAlerts, type RunbookAnswer, type RunbookQuestion } from './runbook.ts';
