export type { CheckContext } from './context.ts';
export { runChecks } from './run-checks.ts';
