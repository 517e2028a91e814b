import { type Grant, matchesGlob, type OidcRule } from '../../model/index.ts';

/** What the claims of a proven token grant: each rule all of whose claims fit gives its own. Pure. */
export function grantsFor(claims: Readonly<Record<string, unknown>>, rules: readonly OidcRule[]): readonly Grant[] {
  return rules
    .filter((rule) => Object.entries(rule.claims).every(([name, wanted]) => fits(claims[name], wanted)))
    .map(({ role, stacks, approves }) => ({ role, stacks, ...(approves === undefined ? {} : { approves }) }));
}

/** Of a list (`groups`) any may fit. A claim that is missing, or no plain value, never does, whatever the pattern. */
function fits(claim: unknown, wanted: string): boolean {
  if (Array.isArray(claim)) return claim.some((one: unknown) => !Array.isArray(one) && fits(one, wanted));
  if (typeof claim !== 'string' && typeof claim !== 'number' && typeof claim !== 'boolean') return false;
  return matchesGlob(wanted, String(claim));
}
