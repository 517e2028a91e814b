import type { ApprovalNeed, ApprovalPolicy, Plan, PlanOptions } from '../model/index.ts';

type Asked = Pick<Plan, 'approval' | 'advice' | 'deadlineMs' | 'postMortemMs'>;

/**
 * What the policy of the plan's severity asks for, to be frozen into the plan: a later change of the stack file changes no
 * plan that was made. An emergency and breaking the glass skip the wait, never the approval: it is due afterwards.
 */
export function policyOf(policy: ApprovalPolicy, { severity, emergency, breakGlass }: PlanOptions): Asked {
  if (severity === undefined || !Object.hasOwn(policy.severities, severity)) return {};
  const { approval, ...rest } = policy.severities[severity] ?? {};
  if (approval === undefined) return rest;
  const waived = breakGlass === true ? 'break-glass' : emergency ? 'emergency' : undefined;
  const need: ApprovalNeed = { severity, ...approval };
  return {
    ...rest,
    approval: approval.when === 'after' || waived === undefined ? need : { ...need, when: 'after', waived },
  };
}
