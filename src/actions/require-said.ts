import { BackstayError } from '../errors/index.ts';
import type { PlanOptions, Stack } from '../model/index.ts';

/**
 * What must be said with every run of the stack, whoever asks and however; asked before anything is looked at. `what` begins
 * the sentence: `A rollback of shop`. @throws USAGE
 */
export function requireSaid(
  stack: Pick<Stack, 'requireReason' | 'approvals'>,
  options: PlanOptions,
  what: string,
): void {
  if (stack.requireReason && options.reason === undefined)
    throw new BackstayError('USAGE', `${what} needs --reason: it is journaled, announced and in the report.`);
  if (options.breakGlass === true && (options.reason ?? '').trim() === '')
    throw new BackstayError('USAGE', '--break-glass needs --reason: it is journaled and in the report.');
  requireReasonForData(options);
  if (stack.approvals.requireSeverity && options.severity === undefined) {
    const names = Object.keys(stack.approvals.severities);
    throw new BackstayError('USAGE', `${what} needs --severity: one of ${names.join(', ')}.`);
  }
}

/** Whoever takes a guard away says why. @throws USAGE */
export function requireReasonForData({ data, reason = '' }: PlanOptions): void {
  if (data === undefined || reason.trim() !== '') return;
  if (data.scenario !== undefined)
    throw new BackstayError('USAGE', '--scenario needs --reason: the choice is journaled and in the report.');
  if (data.skipBackup === true)
    throw new BackstayError('USAGE', '--skip-database-backup needs --reason: it is journaled and in the report.');
}
