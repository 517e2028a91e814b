import { readFile } from 'node:fs/promises';
import { BackstayError } from '../../errors/index.ts';
import type { Access, ExecEntry, UserEntry } from './kubeconfig.ts';

/** What TLS needs, as `tls.connect` takes it. */
export interface TlsSettings {
  readonly ca?: string | Buffer;
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
  readonly servername?: string;
  readonly rejectUnauthorized?: boolean;
}

export interface Proof {
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly tls: TlsSettings;
  /** Grows each time that the credentials are read anew. */
  readonly generation: number;
}

/** A plugin's answer, as the stock client writes it into request options. */
interface PluginOptions {
  headers: Record<string, string | string[]>;
  cert?: string;
  key?: string;
}

/** How long a read certificate or token file is trusted before it is read again; client-go takes a minute too. */
const FILE_AGE_MS = 60_000;

/**
 * Proves who we are, asked before every request: files and plugins may answer differently each time. Fixed values and
 * files are read here, because the stock client's KubeConfig costs half a second to load (its generated models come
 * with it); exec plugins go through the client's own exec authenticator, and the old auth-providers through KubeConfig.
 */
export class Credentials {
  #access: Access;
  readonly #reload: () => Promise<Access>;
  readonly #files = new Map<string, { readonly bytes: Buffer; readonly readAt: number }>();
  #plugin: ((options: PluginOptions) => Promise<void>) | undefined;
  #fixed: Proof | undefined;
  #generation = 0;
  #renewing: Promise<boolean> = Promise.resolve(false);

  /** `reload` reads the kubeconfig again, for whoever logs in again while we run. */
  constructor(access: Access, reload: () => Promise<Access> = () => Promise.resolve(access)) {
    this.#access = access;
    this.#reload = reload;
  }

  /** Throws CLUSTER_UNAUTHENTICATED when a plugin fails and KUBECONFIG_INVALID when a file is missing. */
  async prove(): Promise<Proof> {
    if (this.#fixed !== undefined) return this.#fixed;
    const { cluster, user } = this.#access;
    const generation = this.#generation;
    const options: PluginOptions = { headers: impersonation(user) };
    const token =
      user.token ?? (user.tokenFile === undefined ? undefined : (await this.#read(user.tokenFile)).toString().trim());
    if (token !== undefined && token !== '') options.headers['authorization'] = `Bearer ${token}`;
    else if (user.username !== undefined) {
      const pair = Buffer.from(`${user.username}:${user.password ?? ''}`).toString('base64');
      options.headers['authorization'] = `Basic ${pair}`;
    } else if (user.exec !== undefined || user['auth-provider'] !== undefined) await this.#ask(options);
    const ca = await this.#bytes(cluster['certificate-authority'], cluster['certificate-authority-data']);
    const cert = options.cert ?? (await this.#bytes(user['client-certificate'], user['client-certificate-data']));
    const key = options.key ?? (await this.#bytes(user['client-key'], user['client-key-data']));
    const proof: Proof = {
      generation,
      headers: options.headers,
      tls: {
        ...(ca === undefined ? {} : { ca }),
        ...(cert === undefined ? {} : { cert }),
        ...(key === undefined ? {} : { key }),
        ...(cluster['tls-server-name'] === undefined ? {} : { servername: cluster['tls-server-name'] }),
        ...(cluster['insecure-skip-tls-verify'] === true ? { rejectUnauthorized: false } : {}),
      },
    };
    // A proof that was begun before a renewal must not outlive it.
    if (generation === this.#generation && !this.#mayVary()) this.#fixed = proof;
    return proof;
  }

  /**
   * After `refused` was answered with 401: forgets what was read, so that the next proof is fresh. False when the next one
   * can only be the same. Of many requests refused at once the first renews for all.
   */
  async forget(refused: Proof): Promise<boolean> {
    const renewed = this.#renewing.then(() => this.#renew(refused));
    this.#renewing = renewed;
    return await renewed;
  }

  async #renew(refused: Proof): Promise<boolean> {
    if (refused.generation !== this.#generation) return true;
    const before = this.#access;
    const fresh = await this.#reload().catch(() => before);
    // Another server under the same context is not what this connection is about.
    if (fresh.server === before.server) this.#access = fresh;
    if (!this.#mayVary() && JSON.stringify(this.#access.user) === JSON.stringify(before.user)) return false;
    this.#generation += 1;
    this.#files.clear();
    this.#plugin = undefined;
    this.#fixed = undefined;
    return true;
  }

  /** Whether files or a plugin may say something else without the kubeconfig changing. */
  #mayVary(): boolean {
    return (
      this.#files.size > 0 || this.#access.user.exec !== undefined || this.#access.user['auth-provider'] !== undefined
    );
  }

  async #ask(options: PluginOptions): Promise<void> {
    this.#plugin ??= await pluginOf(this.#access);
    try {
      await this.#plugin(options);
    } catch (cause) {
      const command = this.#access.user.exec?.command ?? this.#access.user['auth-provider']?.name ?? 'plugin';
      throw new BackstayError('CLUSTER_UNAUTHENTICATED', `The credential plugin '${command}' gave no credentials.`, {
        cause,
        next: `Run it by hand, or log in again: ${command}.`,
      });
    }
    for (const [name, value] of Object.entries(options.headers)) {
      delete options.headers[name];
      options.headers[name.toLowerCase()] = value;
    }
  }

  async #bytes(file: string | undefined, data: string | undefined): Promise<Buffer | undefined> {
    // Data wins over a file, as in client-go.
    if (data !== undefined && data !== '') return Buffer.from(data, 'base64');
    return file === undefined || file === '' ? undefined : await this.#read(file);
  }

  async #read(file: string): Promise<Buffer> {
    const kept = this.#files.get(file);
    if (kept !== undefined && performance.now() - kept.readAt < FILE_AGE_MS) return kept.bytes;
    try {
      const bytes = await readFile(file);
      this.#files.set(file, { bytes, readAt: performance.now() });
      return bytes;
    } catch (cause) {
      throw new BackstayError('KUBECONFIG_INVALID', `The file ${file}, which the kubeconfig names, cannot be read.`, {
        cause,
      });
    }
  }
}

function impersonation(user: UserEntry): Record<string, string | string[]> {
  return {
    ...(user.as === undefined ? {} : { 'impersonate-user': user.as }),
    ...(user['as-uid'] === undefined ? {} : { 'impersonate-uid': user['as-uid'] }),
    ...(user['as-groups'] === undefined ? {} : { 'impersonate-group': [...user['as-groups']] }),
  };
}

async function pluginOf(access: Access): Promise<(options: PluginOptions) => Promise<void>> {
  const { user, cluster } = access;
  if (user.exec !== undefined) {
    const { ExecAuth } = await import('@kubernetes/client-node/dist/exec_auth.js');
    const authenticator = new ExecAuth();
    const asked = { name: user.name, exec: withExecInfo(user.exec, access) };
    return (options) => authenticator.applyAuthentication(asked, options);
  }
  const { KubeConfig } = await import('@kubernetes/client-node/dist/config.js');
  const config = new KubeConfig();
  config.loadFromOptions({
    clusters: [
      { name: 'cluster', server: cluster.server, skipTLSVerify: cluster['insecure-skip-tls-verify'] === true },
    ],
    users: [{ name: user.name, authProvider: user['auth-provider'] }],
    contexts: [{ name: 'context', cluster: 'cluster', user: user.name }],
    currentContext: 'context',
  });
  return async (options) => {
    const asked: { headers: Record<string, string> } = { headers: {} };
    await config.applyToHTTPSOptions(asked);
    Object.assign(options.headers, asked.headers);
  };
}

/** The stock authenticator does not tell a plugin what it is for; several plugins refuse to work without it. */
function withExecInfo(exec: ExecEntry, { cluster, server }: Access): ExecEntry {
  const info = {
    apiVersion: exec.apiVersion ?? 'client.authentication.k8s.io/v1',
    kind: 'ExecCredential',
    spec: {
      interactive: false,
      ...(exec.provideClusterInfo === true
        ? { cluster: { server, 'certificate-authority-data': cluster['certificate-authority-data'] } }
        : {}),
    },
  };
  return {
    ...exec,
    args: exec.args ?? [],
    env: [...(exec.env ?? []), { name: 'KUBERNETES_EXEC_INFO', value: JSON.stringify(info) }],
  };
}
