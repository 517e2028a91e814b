import { existsSync } from 'node:fs';
import { homedir, hostname, userInfo } from 'node:os';
import { dirname, join, resolve } from 'node:path';

/** What the surroundings of the process say. Folders are absolute; none of them need exist. */
export interface Environment {
  readonly home: string;
  /** The XDG base folders themselves. */
  readonly xdg: { readonly config: string; readonly data: string; readonly state: string; readonly cache: string };
  /** The project: holds `stacks/`, `Pulumi.yaml` and `snapshots/`. $BACKSTAY_PROJECT_DIR, else the nearest folder upwards. */
  readonly projectDir: string;
  /** Keys and settings of a person: $BACKSTAY_CONFIG_DIR, else $XDG_CONFIG_HOME/backstay. */
  readonly configDir: string;
  /** $BACKSTAY_DATA_DIR, else $XDG_DATA_HOME/backstay. */
  readonly dataDir: string;
  /** Journal, reports, Pulumi state: $BACKSTAY_STATE_DIR, else $XDG_STATE_HOME/backstay. */
  readonly stateDir: string;
  /** Tools that were downloaded or built: $BACKSTAY_CACHE_DIR, else $XDG_CACHE_HOME/backstay. */
  readonly cacheDir: string;
  /** $BACKSTAY_SNAPSHOTS_DIR, else `snapshots` in the project. */
  readonly snapshotsDir: string;
  /** $BACKSTAY_SNAPSHOTS: `files` as without it, `journal` for the database of the journal. */
  readonly snapshots?: string;
  /** $BACKSTAY_SNAPSHOTS_URL: snapshots are in this PostgreSQL database. Holds a password: never shown, logged or stored. */
  readonly snapshotsUrl?: string;
  /** $KUBECONFIG as it stands: may list several files. */
  readonly kubeconfig?: string;
  /** $BACKSTAY_DATABASE_URL: the journal is in this PostgreSQL database. Holds a password: never shown, logged or stored. */
  readonly databaseUrl?: string;
  /** $GITHUB_API_URL, as GitHub Enterprise sets it, else https://api.github.com. */
  readonly issueApi: string;
  /** `never` with NO_COLOR, `always` with FORCE_COLOR, else as the terminal says. */
  readonly color: 'auto' | 'always' | 'never';
  /** Who works here, for records and journals: $BACKSTAY_USER, else the login name. */
  readonly user: string;
  /** What this machine is called: $BACKSTAY_HOST (for containers whose names mean nothing), else its host name. */
  readonly host: string;
  /** How a service is asked, where one is asked instead of this machine. */
  readonly remote: RemoteSettings;
  /** $BACKSTAY_FAILPOINT and $BACKSTAY_FAILPOINT_TRACE. For tests only; docs/architecture/crash-safety.md. */
  readonly failpoints?: { readonly at?: string; readonly trace?: string };
}

export interface RemoteSettings {
  /** Whether $BACKSTAY_TOKEN holds a token. What it is is read where it is sent. */
  readonly hasToken: boolean;
  /** $BACKSTAY_TOKEN_FILE, absolute. */
  readonly tokenFile?: string;
  /** $BACKSTAY_PLAIN_HTTP=1: the way to the service is protected by something else than TLS. */
  readonly plainHttp: boolean;
}

export type Variables = Readonly<Record<string, string | undefined>>;

/** Of this process, for a program that embeds Backstay and says nothing else. */
export function processEnvironment(): Variables {
  return process.env;
}

/**
 * Reads the settings that come from environment variables. The only such reader beside entry files; an empty variable
 * counts as unset, as the XDG specification asks.
 */
export function readEnvironment(env: Variables, cwd: string = process.cwd()): Environment {
  const value = (name: string): string | undefined => (env[name] === '' ? undefined : env[name]);
  const home = value('HOME') ?? homedir();
  const base = (name: string, fallback: string): string => {
    const given = value(name);
    // Relative XDG folders are invalid by specification and to be ignored.
    return given?.startsWith('/') ? given : join(home, fallback);
  };
  const xdg = {
    config: base('XDG_CONFIG_HOME', '.config'),
    data: base('XDG_DATA_HOME', '.local/share'),
    state: base('XDG_STATE_HOME', '.local/state'),
    cache: base('XDG_CACHE_HOME', '.cache'),
  };
  const folder = (name: string, xdgBase: string): string => resolve(cwd, value(name) ?? join(xdgBase, 'backstay'));
  const projectDir = resolve(cwd, value('BACKSTAY_PROJECT_DIR') ?? nearestProject(cwd));
  const kubeconfig = value('KUBECONFIG');
  const databaseUrl = value('BACKSTAY_DATABASE_URL');
  const snapshots = value('BACKSTAY_SNAPSHOTS');
  const snapshotsUrl = value('BACKSTAY_SNAPSHOTS_URL');
  return {
    home,
    xdg,
    projectDir,
    configDir: folder('BACKSTAY_CONFIG_DIR', xdg.config),
    dataDir: folder('BACKSTAY_DATA_DIR', xdg.data),
    stateDir: folder('BACKSTAY_STATE_DIR', xdg.state),
    cacheDir: folder('BACKSTAY_CACHE_DIR', xdg.cache),
    issueApi: value('GITHUB_API_URL') ?? 'https://api.github.com',
    snapshotsDir: resolve(cwd, value('BACKSTAY_SNAPSHOTS_DIR') ?? join(projectDir, 'snapshots')),
    ...(kubeconfig === undefined ? {} : { kubeconfig }),
    ...(databaseUrl === undefined ? {} : { databaseUrl }),
    ...(snapshots === undefined ? {} : { snapshots }),
    ...(snapshotsUrl === undefined ? {} : { snapshotsUrl }),
    color: value('NO_COLOR') !== undefined ? 'never' : isForced(value('FORCE_COLOR')) ? 'always' : 'auto',
    user: value('BACKSTAY_USER') ?? value('USER') ?? value('LOGNAME') ?? loginName(),
    host: value('BACKSTAY_HOST') ?? hostname(),
    remote: remoteOf(value, cwd),
    ...failpointsIn(value('BACKSTAY_FAILPOINT'), value('BACKSTAY_FAILPOINT_TRACE')),
  };
}

function remoteOf(value: (name: string) => string | undefined, cwd: string): RemoteSettings {
  const file = value('BACKSTAY_TOKEN_FILE');
  return {
    hasToken: value('BACKSTAY_TOKEN') !== undefined,
    ...(file === undefined ? {} : { tokenFile: resolve(cwd, file) }),
    plainHttp: value('BACKSTAY_PLAIN_HTTP') === '1',
  };
}

function failpointsIn(at: string | undefined, trace: string | undefined): Pick<Environment, 'failpoints'> {
  if (at === undefined && trace === undefined) return {};
  return { failpoints: { ...(at === undefined ? {} : { at }), ...(trace === undefined ? {} : { trace }) } };
}

function isForced(value: string | undefined): boolean {
  return value !== undefined && value !== '0' && value !== 'false';
}

function nearestProject(from: string): string {
  for (let folder = resolve(from); ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'stacks'))) return folder;
    if (folder === dirname(folder)) return resolve(from);
  }
}

function loginName(): string {
  try {
    return userInfo().username;
  } catch {
    // A container may run under a user id that has no entry.
    return `uid-${process.getuid?.() ?? 'unknown'}`;
  }
}
