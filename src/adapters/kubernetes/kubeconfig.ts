import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { delimiter, dirname, isAbsolute, join } from 'node:path';
import { BackstayError, didYouMean } from '../../errors/index.ts';

/** One cluster and one user of a kubeconfig, paths made absolute. Secret values stay inside the adapter. */
export interface Access {
  /** Without a slash at the end. */
  readonly server: string;
  readonly context?: string;
  readonly cluster: ClusterEntry;
  readonly user: UserEntry;
  /** Files that it came from; empty when it came from a pod's service account. */
  readonly files: readonly string[];
}

export interface ClusterEntry {
  readonly server: string;
  readonly 'certificate-authority'?: string;
  readonly 'certificate-authority-data'?: string;
  readonly 'insecure-skip-tls-verify'?: boolean;
  readonly 'tls-server-name'?: string;
  readonly 'proxy-url'?: string;
}

export interface UserEntry {
  readonly name: string;
  readonly 'client-certificate'?: string;
  readonly 'client-certificate-data'?: string;
  readonly 'client-key'?: string;
  readonly 'client-key-data'?: string;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly username?: string;
  readonly password?: string;
  readonly as?: string;
  readonly 'as-uid'?: string;
  readonly 'as-groups'?: readonly string[];
  readonly exec?: ExecEntry;
  readonly 'auth-provider'?: { readonly name: string; readonly config?: Readonly<Record<string, string>> };
}

export interface ExecEntry {
  readonly apiVersion?: string;
  readonly command: string;
  readonly args?: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value: string }[] | null;
  readonly provideClusterInfo?: boolean;
}

interface Named<T extends string, E> {
  readonly name: string;
  readonly value: E;
  readonly kind: T;
}

interface Merged {
  current?: string;
  readonly clusters: Map<string, ClusterEntry>;
  readonly users: Map<string, UserEntry>;
  readonly contexts: Map<string, { readonly cluster: string; readonly user?: string }>;
}

export interface KubeconfigOptions {
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
}

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

/**
 * Finds cluster and user as kubectl does: the file named, else every file of KUBECONFIG (the first to name a thing wins),
 * else `~/.kube/config`, else the pod's own service account. Throws KUBECONFIG_INVALID naming file, context or user.
 */
export async function loadAccess(options: KubeconfigOptions): Promise<Access> {
  const files = filesOf(options);
  if (files.length === 0) return inCluster(options);
  const merged: Merged = { clusters: new Map(), users: new Map(), contexts: new Map() };
  for (const file of files) await mergeFile(merged, file);
  return select(merged, files, options.context);
}

function filesOf({ kubeconfig, env = {} }: KubeconfigOptions): readonly string[] {
  if (kubeconfig !== undefined) return [kubeconfig];
  const listed = (env['KUBECONFIG'] ?? '').split(delimiter).filter((file) => file !== '');
  if (listed.length > 0) {
    // kubectl skips the missing ones as long as one is there; all missing is an error that names the first.
    const present = listed.filter((file) => existsSync(file));
    return present.length > 0 ? present : listed.slice(0, 1);
  }
  const home = env['HOME'] ?? env['USERPROFILE'];
  const own = home === undefined ? undefined : join(home, '.kube', 'config');
  return own !== undefined && existsSync(own) ? [own] : [];
}

async function mergeFile(merged: Merged, file: string): Promise<void> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw new BackstayError('KUBECONFIG_INVALID', `The kubeconfig ${file} cannot be read.`, { cause, at: { file } });
  }
  const { parse } = await import('yaml');
  let document: unknown;
  try {
    document = parse(text);
  } catch (cause) {
    throw new BackstayError('KUBECONFIG_INVALID', `The kubeconfig ${file} is not YAML.`, { cause, at: { file } });
  }
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    throw new BackstayError('KUBECONFIG_INVALID', `The kubeconfig ${file} holds no configuration.`, { at: { file } });
  }
  const config = document as Record<string, unknown>;
  const from = dirname(file);
  for (const { name, value } of entries<'cluster', ClusterEntry>(config, 'clusters', 'cluster', file)) {
    if (!merged.clusters.has(name)) merged.clusters.set(name, absolute(value, from, ['certificate-authority']));
  }
  for (const { name, value } of entries<'user', UserEntry>(config, 'users', 'user', file)) {
    const user = absolute(value, from, ['client-certificate', 'client-key', 'tokenFile']);
    if (!merged.users.has(name)) merged.users.set(name, { ...execAbsolute(user, from), name });
  }
  for (const { name, value } of entries<'context', { cluster: string; user?: string }>(
    config,
    'contexts',
    'context',
    file,
  )) {
    if (!merged.contexts.has(name)) merged.contexts.set(name, value);
  }
  if (
    merged.current === undefined &&
    typeof config['current-context'] === 'string' &&
    config['current-context'] !== ''
  ) {
    merged.current = config['current-context'];
  }
}

function entries<T extends string, E>(
  config: Record<string, unknown>,
  list: string,
  kind: T,
  file: string,
): Named<T, E>[] {
  const rows = config[list] ?? [];
  if (!Array.isArray(rows)) {
    throw new BackstayError('KUBECONFIG_INVALID', `${list} in the kubeconfig ${file} is not a list.`, { at: { file } });
  }
  return rows.map((row: Record<string, unknown>, index) => {
    if (typeof row?.['name'] !== 'string') {
      throw new BackstayError('KUBECONFIG_INVALID', `${list}[${index}] in the kubeconfig ${file} has no name.`, {
        at: { file },
      });
    }
    return { name: row['name'], value: (row[kind] ?? {}) as E, kind };
  });
}

function absolute<E>(entry: E, from: string, fields: readonly string[]): E {
  const copy: Record<string, unknown> = { ...(entry as Record<string, unknown>) };
  for (const field of fields) {
    const value = copy[field];
    if (typeof value === 'string' && value !== '' && !isAbsolute(value)) copy[field] = join(from, value);
  }
  return copy as E;
}

/** A command with a slash is relative to the kubeconfig; one without is looked up on PATH. */
function execAbsolute(user: UserEntry, from: string): UserEntry {
  const exec = user.exec;
  if (exec === undefined || !exec.command.includes('/') || isAbsolute(exec.command)) return user;
  return { ...user, exec: { ...exec, command: join(from, exec.command) } };
}

function select(merged: Merged, files: readonly string[], wanted: string | undefined): Access {
  const at = { file: files[0] ?? '' };
  const name = wanted ?? merged.current ?? (merged.contexts.size === 1 ? [...merged.contexts.keys()][0] : undefined);
  const known = [...merged.contexts.keys()];
  if (name === undefined) {
    throw new BackstayError('KUBECONFIG_INVALID', `No context is chosen in ${files.join(', ')}.`, {
      next:
        known.length === 0 ? 'Add a context to the kubeconfig.' : `Pass --context with one of: ${known.join(', ')}.`,
      at,
    });
  }
  const context = merged.contexts.get(name);
  if (context === undefined) {
    const near = didYouMean(name, known);
    throw new BackstayError('KUBECONFIG_INVALID', `There is no context '${name}' in ${files.join(', ')}.`, {
      next: near === undefined ? `Choose one of: ${known.join(', ') || 'none are there'}.` : `Did you mean '${near}'?`,
      at,
    });
  }
  const cluster = merged.clusters.get(context.cluster);
  if (cluster === undefined || typeof cluster.server !== 'string' || !URL.canParse(cluster.server)) {
    const fault = cluster === undefined ? 'is not defined' : 'has no usable server address';
    throw new BackstayError('KUBECONFIG_INVALID', `Cluster '${context.cluster}' of context '${name}' ${fault}.`, {
      at,
    });
  }
  const user = context.user === undefined ? { name: '' } : merged.users.get(context.user);
  if (user === undefined) {
    throw new BackstayError('KUBECONFIG_INVALID', `User '${context.user}' of context '${name}' is not defined.`, {
      at,
    });
  }
  return { server: cluster.server.replace(/\/+$/, ''), context: name, cluster, user, files };
}

function inCluster({ context, env = {} }: KubeconfigOptions): Access {
  const host = env['KUBERNETES_SERVICE_HOST'];
  const port = env['KUBERNETES_SERVICE_PORT'] ?? '443';
  if (host === undefined || host === '' || context !== undefined) {
    throw new BackstayError(
      'KUBECONFIG_INVALID',
      'There is no kubeconfig: none was named, KUBECONFIG is empty and ~/.kube/config is missing.',
      {
        next: 'Pass --kubeconfig FILE, or set KUBECONFIG.',
      },
    );
  }
  const server = `https://${host.includes(':') ? `[${host}]` : host}:${port}`;
  return {
    server,
    cluster: { server, 'certificate-authority': `${SERVICE_ACCOUNT}/ca.crt` },
    user: { name: 'service-account', tokenFile: `${SERVICE_ACCOUNT}/token` },
    files: [],
  };
}
