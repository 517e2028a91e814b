import type { CheckSetting, FlagValue, Scope } from '../model/index.ts';
import type { Finding } from './context.ts';

/**
 * Whether a check is to be asked: by moment, scope and flag. Where the flag's value is not known the answer is a finding,
 * `unknown`: leaving the check out would let an unreadable flag hide a failure.
 */
export function applies(
  setting: CheckSetting,
  context: { readonly when: 'capture' | 'before' | 'after'; readonly scope?: Scope; readonly flags: readonly FlagValue[] },
): boolean | Finding {
  if (context.when !== 'after' && !setting.when.includes(context.when)) return false;
  if (!inScope(setting, context.scope)) return false;
  if (setting.onlyIf === undefined) return true;
  const { flag, is } = setting.onlyIf;
  const found = context.flags.find(({ name }) => name === flag);
  if (found === undefined) return { verdict: 'unknown', reason: `it depends on the flag ${flag}, which was not read` };
  return found.value === is;
}

function inScope({ scopes }: CheckSetting, scope: Scope | undefined): boolean {
  if (scopes === undefined || scope === undefined || scope.kind === 'full') return true;
  // Named workloads are a part of the application.
  return scopes.includes(scope.kind === 'workloads' ? 'application' : scope.kind);
}
