import { readEnvironment } from '../../config/index.ts';
import { BackstayError } from '../../errors/index.ts';
import { ACCESS_ROLES, type AccessRole } from '../../model/index.ts';
import { createToken, listTokens, revokeToken, type TokenView } from '../../service/access/tokens.ts';
import type { CommandRun } from '../commands.ts';
import { durationMsOf, textOf } from '../plan-options.ts';
import { table } from '../render/table.ts';
import { withService } from '../with-service.ts';

/** Prints the token, once: stdout has nothing else, so that it can go into a secret store. */
export const create: CommandRun = async (invocation) => {
  const { args, options, terminal } = invocation;
  const role = roleOf(options['role']);
  const stacks = (textOf(options['stack']) ?? '').split(',').filter((one) => one !== '');
  if (stacks.length === 0) throw new BackstayError('USAGE', "Name the stacks with --stack, such as --stack 'shop-*'.");
  const approves = (textOf(options['approves']) ?? '').split(',').filter((one) => one !== '');
  const person = textOf(options['for']);
  const forMs = durationMsOf(textOf(options['expires']), '--expires');
  const { user, host } = readEnvironment(terminal.env, terminal.cwd);
  return await withService(invocation, async (service) => {
    const { token, made } = await createToken(
      {
        name: args[0] ?? '',
        grants: [{ role, stacks, ...(approves.length === 0 ? {} : { approves }) }],
        by: `${user}@${host}`,
        ...(person === undefined ? {} : { person }),
        ...(forMs === undefined ? {} : { forMs }),
      },
      service,
    );
    terminal.result('TokenCreated', { token, ...made }, () => token);
    if (terminal.format === 'table') terminal.note(`${describe(made)} It is not shown again.`);
    return 0;
  });
};

export const list: CommandRun = async (invocation) =>
  await withService(invocation, async (service) => {
    const items = await listTokens(service);
    invocation.terminal.result('TokenList', { items }, () =>
      items.length === 0
        ? 'no tokens'
        : table(
            ['name', 'for', 'role', 'stacks', 'approves', 'expires', 'created by'],
            items.map(({ name, person, grants, expiresAt, createdBy }) => [
              name,
              person ?? name,
              grants.map(({ role }) => role).join(','),
              grants.flatMap(({ stacks }) => stacks).join(','),
              grants.flatMap(({ approves }) => approves ?? []).join(','),
              expiresAt ?? 'never',
              createdBy,
            ]),
          ),
    );
    return 0;
  });

export const revoke: CommandRun = async (invocation) =>
  await withService(invocation, async (service) => {
    const [name = ''] = invocation.args;
    await revokeToken(name, service);
    invocation.terminal.result('TokenRevoked', { name }, () => `${name} opens nothing any more`);
    return 0;
  });

function roleOf(given: unknown): AccessRole {
  const role = ACCESS_ROLES.find((one) => one === given);
  if (role === undefined)
    throw new BackstayError('USAGE', `--role ${String(given)} is not one of ${ACCESS_ROLES.join(', ')}.`);
  return role;
}

function describe({ name, expiresAt }: TokenView): string {
  return `Token ${name} ${expiresAt === undefined ? 'holds until it is revoked' : `holds until ${expiresAt}`}.`;
}
