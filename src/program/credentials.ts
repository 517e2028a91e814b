import { type Output, secret } from '@pulumi/pulumi';

/** Characters of a credential: 32 of 62 kinds are more than 190 bits, and none needs quoting anywhere. */
const LENGTH = 32;

/**
 * Registers one random password for each name, made once and kept in the stack's state as a secret: the sandbox's Postgres
 * password, the webhook token. To be called within a Pulumi program. The name is the resource's name; a new name is a new
 * password.
 */
export async function registerCredentials(names: readonly string[]): Promise<ReadonlyMap<string, Output<string>>> {
  const { RandomPassword } = await import('@pulumi/random/randomPassword.js');
  return new Map(
    names.map((name) => [name, secret(new RandomPassword(name, { length: LENGTH, special: false }).result)]),
  );
}
