import { type Change, type FlagSetting, partsOf, type Stack } from '../model/index.ts';

/** What a plan has to say for the stack's runbook to apply. */
interface Question {
  readonly stack: Pick<Stack, 'context' | 'flags'>;
  readonly changes: readonly Change[];
}

/**
 * Whether a plan is what the stack's runbook is about, and so has to find its alerts firing. Without a condition every plan
 * is; with one, only a plan that takes the flag from the one value to the other.
 */
export function isOfRunbook({ stack, changes }: Question): boolean {
  const { anyOf, dependencies, when } = stack.context;
  if (anyOf.length === 0 && dependencies.length === 0) return false;
  if (when === undefined) return true;
  const flag = stack.flags.find(({ name }) => name === when.flag);
  return flag !== undefined && changes.some((change) => takes(change, flag, when));
}

function takes(
  change: Change,
  { source }: FlagSetting,
  { from, to }: { readonly from: string; readonly to: string },
): boolean {
  const { kind, name } = partsOf(change.key);
  const isSource = 'configMap' in source ? kind === 'ConfigMap' && name === source.configMap : name === source.workload;
  if (!isSource) return false;
  const ends =
    'configMap' in source ? [`data.${source.key}`, `data["${source.key}"]`] : [`env[name=${source.env}].value`];
  return change.fields.some(
    ({ path, before, after }) =>
      before === from && after === to && ends.some((end) => path === end || path.endsWith(`.${end}`)),
  );
}
