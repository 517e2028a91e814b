import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { KEY_FILES } from '../../model/index.ts';
import type { KeyFolder } from '../../ports/index.ts';

/**
 * Makes the key folder of a stack: 0700, private files 0600. Never overwrites; public files that are missing are made again
 * from the private ones that are there. `owner` names the signing key (`anna@laptop`).
 */
export async function initKeys(stack: string, directory: string, owner: string): Promise<KeyFolder> {
  const { exportJWK, generateKeyPair } = await import('jose');
  const { generateX25519Identity, identityToRecipient } = await import('age-encryption');
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await chmod(directory, 0o700);
  const created: string[] = [];
  const kept: string[] = [];
  const keep = async (name: string, mode: number, make: () => Promise<string> | string): Promise<string> => {
    const path = join(directory, name);
    const text = await make();
    try {
      await writeFile(path, `${text}\n`, { flag: 'wx', mode });
      created.push(name);
      return text;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      kept.push(name);
      return (await readFile(path, 'utf8')).trim();
    }
  };
  const identity = await keep(KEY_FILES.identity, 0o600, () => generateX25519Identity());
  const recipient = await identityToRecipient(firstIdentity(identity));
  await keep(KEY_FILES.recipients, 0o644, () => `# ${owner}, stack ${stack}\n${recipient}`);
  await keep(KEY_FILES.comparisonKey, 0o600, () => randomBytes(32).toString('base64'));
  const signing = await keep(KEY_FILES.signingKey, 0o600, async () => {
    const { privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
    return JSON.stringify(await exportJWK(privateKey));
  });
  const { publicOf } = await import('../../snapshots/index.ts');
  const trusted = { name: owner, publicKey: await publicOf(signing) };
  await keep(KEY_FILES.trusted, 0o644, () => JSON.stringify([trusted], null, 2));
  await keep(KEY_FILES.passphrase, 0o600, () => randomBytes(32).toString('base64url'));
  return { directory, created, kept, recipient, trusted };
}

function firstIdentity(text: string): string {
  return (
    text
      .split('\n')
      .map((line) => line.trim())
      .find((line) => line.startsWith('AGE-SECRET-KEY-')) ?? text
  );
}
