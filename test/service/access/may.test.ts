import { describe, expect, it } from 'vitest';
import { ACCESS_ROLES, type Deed, type Grant } from '../../../src/model/index.ts';
import { approvingRoles, mayAnywhere, mayDo } from '../../../src/service/access/may.ts';
import { grantsFor } from '../../../src/service/access/rules.ts';

const who = (...grants: readonly Grant[]) => ({ grants });

describe('what a role may', () => {
  it.each([
    ['viewer', ['watch']],
    ['operator', ['watch', 'act']],
    ['admin', ['watch', 'act', 'manage']],
  ] as const)('as %s is %j, and never to approve', (role, deeds) => {
    const principal = who({ role, stacks: ['*'] });
    const all: readonly Deed[] = ['watch', 'act', 'approve', 'manage'];
    expect(all.filter((deed) => mayDo(principal, deed, 'shop'))).toEqual(deeds);
    expect(all.filter((deed) => mayDo(principal, deed))).toEqual(deeds);
  });

  it('is for the stacks named; for the service as a whole only with all of them', () => {
    const principal = who({ role: 'admin', stacks: ['shop*', '*-eu'] });
    expect(mayDo(principal, 'manage', 'shop-1')).toBe(true);
    expect(mayDo(principal, 'manage', 'bank-eu')).toBe(true);
    expect(mayDo(principal, 'manage', 'bank')).toBe(false);
    expect(mayDo(principal, 'manage')).toBe(false);
    expect(mayAnywhere(principal, 'manage')).toBe(true);
  });

  it('does not add up over grants: a role holds for its own stacks', () => {
    const principal = who({ role: 'viewer', stacks: ['*'] }, { role: 'operator', stacks: ['shop'], approves: ['cto'] });
    expect(mayDo(principal, 'act', 'bank')).toBe(false);
    expect(mayDo(principal, 'approve', 'bank')).toBe(false);
    expect(mayDo(principal, 'approve', 'shop')).toBe(true);
    expect(approvingRoles(principal, 'shop')).toEqual(['cto']);
    expect(approvingRoles(principal, 'bank')).toEqual([]);
  });

  it('is nothing without a grant', () => {
    for (const role of ACCESS_ROLES) expect(mayDo(who({ role, stacks: [] }), 'watch', 'shop')).toBe(false);
    expect(mayDo(who(), 'watch', 'shop')).toBe(false);
  });
});

describe('claims', () => {
  const github = {
    sub: 'repo:acme/shop:environment:production',
    repository: 'acme/shop',
    environment: 'production',
    ref: 'refs/heads/main',
    groups: ['dev', 'ops'],
    run_attempt: 2,
    verified: true,
  };
  const operator = { role: 'operator', stacks: ['shop'] } as const;

  it.each([
    ['all fit', { repository: 'acme/shop', environment: 'production' }, true],
    ['one does not', { repository: 'acme/shop', environment: 'staging' }, false],
    ['a wildcard does', { repository: 'acme/*', ref: 'refs/heads/*' }, true],
    ['a wildcard stops at the ends', { repository: 'acme/s' }, false],
    ['one of a list does', { groups: 'ops' }, true],
    ['none of a list does', { groups: 'admins' }, false],
    ['a number does', { run_attempt: '2' }, true],
    ['a truth does', { verified: 'true' }, true],
    ['one is missing, even for any value', { actor: '*' }, false],
    ['a name of every object is asked for', { constructor: '*' }, false],
  ] as const)('grant where %s', (_, claims, fits) => {
    expect(grantsFor(github, [{ claims, ...operator }])).toEqual(fits ? [operator] : []);
  });

  it('grant by every rule that fits', () => {
    const rules = [
      { claims: { repository: 'acme/shop' }, role: 'viewer', stacks: ['*'] },
      { claims: { environment: 'staging' }, role: 'admin', stacks: ['*'] },
      { claims: { environment: 'production' }, role: 'operator', stacks: ['shop'], approves: ['release'] },
    ] as const;
    expect(grantsFor(github, rules)).toEqual([
      { role: 'viewer', stacks: ['*'] },
      { role: 'operator', stacks: ['shop'], approves: ['release'] },
    ]);
  });
});
