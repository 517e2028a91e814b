import { createPrivateKey } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeJwt, SignJWT } from 'jose';
import { parse, stringify } from 'yaml';
import type { SandboxInfo } from '../../src/sandbox/contract.ts';

interface Kubeconfig {
  readonly clusters: readonly { readonly name: string; readonly cluster: Record<string, unknown> }[];
  readonly users: readonly { readonly name: string; readonly user: Record<string, unknown> }[];
}

/** The administrator's kubeconfig with another user or another server, in a new file. */
export async function kubeconfigLike(
  original: string,
  file: string,
  change: { readonly token?: string; readonly server?: string },
): Promise<string> {
  const config = parse(await readFile(original, 'utf8')) as Kubeconfig;
  const { token, server } = change;
  const changed = {
    ...config,
    users: config.users.map(({ name, user }) => ({ name, user: token === undefined ? user : { token } })),
    clusters: config.clusters.map(({ name, cluster }) => ({
      name,
      cluster: server === undefined ? cluster : { ...cluster, server },
    })),
  };
  await writeFile(file, stringify(changed), { mode: 0o600 });
  return file;
}

/** Of an API server that is down, in a new file of the folder. */
export async function downKubeconfig(folder: string): Promise<string> {
  const file = join(folder, 'down.kubeconfig');
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'down',
    contexts: [{ name: 'down', context: { cluster: 'down', user: 'ada' } }],
    clusters: [{ name: 'down', cluster: { server: 'http://127.0.0.1:1' } }],
    users: [{ name: 'ada', user: {} }],
  };
  await writeFile(file, stringify(config), { mode: 0o600 });
  return file;
}

/** The same token with another end of its life, in seconds from now, and a signature that holds. */
export async function reissued(token: string, sandbox: SandboxInfo, expiresIn: number): Promise<string> {
  const key = createPrivateKey(await readFile(join(sandbox.dir, 'pki', 'service-account.key')));
  const exp = Math.floor(Date.now() / 1000) + expiresIn;
  const issued = exp - 7200;
  const alg = key.asymmetricKeyType === 'ec' ? 'ES256' : 'RS256';
  const claims = { ...decodeJwt(token), iat: issued, nbf: issued, exp };
  return await new SignJWT(claims).setProtectedHeader({ alg }).sign(key);
}
