import type { Alert, Plan, Proposal, Stack, TriggerPolicy } from '../../model/index.ts';

/** Of the text that a run carries as its reason. */
const LONGEST_REASON = 300;

/** Why alerts ask for a rollback, in one line: what the journal and every report say. */
export function reasonOf(alerts: readonly Alert[]): string {
  const names = [...new Set(alerts.map(({ name }) => name))];
  const [first] = alerts;
  const said = names.length === 1 && first?.summary !== undefined ? `: ${first.summary}` : '';
  const text = `${names.length === 1 ? 'alert' : 'alerts'} ${names.join(', ')}${said}`.replaceAll(/\s+/g, ' ');
  return text.length <= LONGEST_REASON ? text : `${text.slice(0, LONGEST_REASON - 1)}…`;
}

/** The stack's setting, else the gravest that the alerts name: policies stand in the order of their gravity. */
export function severityOf(
  alerts: readonly Alert[],
  { severity }: Pick<TriggerPolicy, 'severity'>,
  { severities }: Pick<Stack['approvals'], 'severities'>,
): string | undefined {
  if (severity !== undefined) return severity;
  const named = new Set(alerts.map(({ labels }) => labels['severity']));
  return Object.keys(severities).find((known) => named.has(known));
}

/**
 * Why a plan that alerts ask for is not carried out without a person; undefined: it may be. What the journal and the holds
 * say against it (PERSON_NEEDED) is asked when the run is asked for.
 */
export function personNeededFor(
  plan: Pick<Plan, 'approval' | 'steps' | 'options' | 'warnings'>,
  { mode, isTargetHeld }: Pick<Proposal, 'mode'> & { readonly isTargetHeld: boolean },
  { requireSeverity }: Pick<Stack['approvals'], 'requireSeverity'>,
): string | undefined {
  if (mode === 'propose') return 'the stack asks for a person';
  if (isTargetHeld) return 'the target is a version that is held because it failed';
  if (requireSeverity && plan.options.severity === undefined)
    return 'the stack asks for a severity, and the alerts name none of its own';
  const { approval } = plan;
  if (approval?.when === 'before')
    return `severity ${approval.severity} needs the approval of ${approval.roles.join(' or ')}`;
  const loses = plan.steps.find(({ dataLoss }) => dataLoss !== undefined);
  if (loses !== undefined) return `data may be lost (${loses.dataLoss}), which a person has to accept`;
  return undefined;
}
