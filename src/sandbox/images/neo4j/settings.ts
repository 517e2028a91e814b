import { join } from 'node:path';
import { POD_ENV } from '../../contract.ts';
import type { Env } from '../kit/service.ts';

/** Variables of the official image that are no settings of the server. */
const NO_SETTINGS = new Set(['AUTH', 'AUTH_PATH', 'HOME', 'CONF', 'EDITION', 'PLUGINS', 'ACCEPT_LICENSE_AGREEMENT']);
const PREFIX = 'NEO4J_';

/** Small, and quick to stop: the sandbox holds many programs on few cores. A pod's own settings win. */
const SMALL = {
  'server.http.enabled': 'false',
  'server.https.enabled': 'false',
  'server.memory.pagecache.size': '32m',
  'dbms.usage_report.enabled': 'false',
  'internal.dbms.bolt.netty_server_shutdown_quiet_period': '0',
};

export interface Layout {
  /** NEO4J_HOME: what belongs to this pod alone. */
  readonly home: string;
  readonly data: string;
  readonly settings: Readonly<Record<string, string>>;
}

/**
 * Where everything is and what the server is told, as the official image has it: `NEO4J_initial_dbms_default__database` is
 * `initial.dbms.default_database`. The data is below the volume that is mounted at /data, else the pod's own and gone with it.
 */
export function layoutOf(env: Env): Layout {
  const own = env[POD_ENV.data];
  if (own === undefined) throw new Error(`${POD_ENV.data} is not set`);
  const given = settingsIn(env);
  const mounted = given['server.directories.data'];
  const data = mounted === undefined || mounted === '/data' ? join(own, 'data') : mounted;
  const address = `${env[POD_ENV.address] ?? '127.0.0.1'}:${env['PORT'] ?? '7687'}`;
  const settings = { ...SMALL, 'server.bolt.listen_address': address, ...given, 'server.directories.data': data };
  return { home: join(own, 'neo4j'), data, settings };
}

function settingsIn(env: Env): Readonly<Record<string, string>> {
  const settings: Record<string, string> = {};
  for (const [variable, value] of Object.entries(env)) {
    const name = variable.slice(PREFIX.length);
    if (!variable.startsWith(PREFIX) || value === undefined || NO_SETTINGS.has(name)) continue;
    settings[name.replaceAll(/__|_/g, (line) => (line === '_' ? '.' : '_'))] = value;
  }
  return settings;
}

/** `NEO4J_AUTH` as user and password; undefined for `none`. @throws when it is neither */
export function authOf(env: Env): { readonly password: string } | undefined {
  const given = env['NEO4J_AUTH'];
  if (given === 'none') return undefined;
  const [user, ...rest] = (given ?? '').split('/');
  const password = rest.join('/');
  if (user !== 'neo4j' || password.length < 8)
    throw new Error('NEO4J_AUTH is not neo4j/PASSWORD with eight letters or more, and not none');
  return { password };
}
