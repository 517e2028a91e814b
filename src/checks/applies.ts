import type { CheckSetting, Scope } from '../model/index.ts';
import type { CheckContext, Finding } from './context.ts';

/**
 * Whether a check is to be asked: by moment, scope and flag. Where the flag's value is not known the answer is a finding,
 * `unknown`: leaving the check out would let an unreadable flag hide a failure.
 */
export function applies(
  setting: CheckSetting,
  context: Pick<CheckContext, 'when' | 'scope' | 'flags'>,
): boolean | Finding {
  if (!isDue(setting, context.when)) return false;
  if (!inScope(setting, context.scope)) return false;
  if (setting.onlyIf === undefined) return true;
  const { flag, is } = setting.onlyIf;
  const found = context.flags.find(({ name }) => name === flag);
  if (found === undefined) return { verdict: 'unknown', reason: `it depends on the flag ${flag}, which was not read` };
  return found.value === is;
}

/** After a run every check is asked, and a capture asks what a run would ask before it acts. */
function isDue({ when }: CheckSetting, moment: CheckContext['when']): boolean {
  if (moment === 'after' || moment === 'named') return true;
  return when.includes(moment) || (moment === 'capture' && when.includes('before'));
}

function inScope({ scopes }: CheckSetting, scope: Scope | undefined): boolean {
  if (scopes === undefined || scope === undefined || scope.kind === 'full') return true;
  // Named workloads are a part of the application.
  return scopes.includes(scope.kind === 'workloads' ? 'application' : scope.kind);
}
