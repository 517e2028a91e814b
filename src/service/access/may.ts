import { type AccessRole, type Deed, type Grant, matchesGlob, type Principal } from '../../model/index.ts';

/** What each role may; `approve` is granted beside it, by name. */
const DEEDS: Readonly<Record<AccessRole, readonly Deed[]>> = {
  viewer: ['watch'],
  operator: ['watch', 'act'],
  admin: ['watch', 'act', 'manage'],
};

/**
 * Whether somebody may do that to a stack. Without a stack the deed concerns the service as a whole: only a grant on all
 * stacks (`*`) allows it. Who may approve depends on the stack's policy as well: this says whether it is worth asking.
 */
export function mayDo({ grants }: Pick<Principal, 'grants'>, deed: Deed, stack?: string): boolean {
  return grants.some((grant) => covers(grant, stack) && allows(grant, deed));
}

/** The roles of the stack's approval policy in which somebody may decide. */
export function approvingRoles({ grants }: Pick<Principal, 'grants'>, stack: string): readonly string[] {
  return [...new Set(grants.filter((grant) => covers(grant, stack)).flatMap(({ approves }) => approves ?? []))];
}

/** Whether somebody may do that to some stack at all. */
export function mayAnywhere({ grants }: Pick<Principal, 'grants'>, deed: Deed): boolean {
  return grants.some((grant) => allows(grant, deed));
}

function allows({ role, approves }: Grant, deed: Deed): boolean {
  return deed === 'approve' ? (approves?.length ?? 0) > 0 : DEEDS[role].includes(deed);
}

function covers({ stacks }: Grant, stack: string | undefined): boolean {
  return stacks.some((pattern) => (stack === undefined ? pattern === '*' : matchesGlob(pattern, stack)));
}
