import type {
  Cluster,
  DataStore,
  Engine,
  Exec,
  HeldLock,
  HttpClient,
  JournalStore,
  Lock,
  Migrations,
  PrivateFiles,
  ServiceStore,
  SnapshotStore,
} from '../../ports/index.ts';

/** A write of a port, and how one of its calls is told from the others in a trace. */
export interface Mark<F> {
  readonly write: string;
  readonly detail: (...call: ArgumentsOf<F>) => string;
  /** Calls that change nothing outside, such as dry runs. */
  readonly unless?: (...call: ArgumentsOf<F>) => boolean;
}

type ArgumentsOf<F> = F extends (...call: infer A) => unknown ? A : never;

/** Every member of a port is a read or carries a mark: one that is new does not compile until somebody has decided. */
export type Marks<P> = { readonly [K in keyof Required<P>]: 'read' | Mark<Required<P>[K]> };

/** The ports by which a run changes anything. */
export interface MarkedPorts {
  readonly journal: JournalStore;
  readonly records: ServiceStore;
  readonly store: SnapshotStore;
  readonly files: PrivateFiles;
  readonly lock: Lock;
  readonly held: HeldLock;
  readonly cluster: Cluster;
  readonly engine: Engine;
  readonly http: HttpClient;
  readonly exec: Exec;
  readonly dataStore: DataStore;
  readonly migrations: Migrations;
}

interface Named {
  readonly kind: string;
  readonly metadata: { readonly name: string };
}
const objectOf = (object: Named): string =>
  object.kind === 'Lease' ? `Lease:${leaseWrite(object)}` : `${object.kind}/${object.metadata.name}`;
const isDry = (_what: unknown, options?: { readonly dryRun?: boolean }): boolean => options?.dryRun === true;

export const MARKS: { readonly [P in keyof MarkedPorts]: Marks<MarkedPorts[P]> } = {
  journal: {
    append: { write: 'append', detail: entryDetail },
    read: 'read',
    follow: 'read',
    runs: 'read',
    close: 'read',
  },
  records: {
    put: { write: 'put', detail: (kind) => kind },
    remove: { write: 'remove', detail: (kind) => kind },
    get: 'read',
    list: 'read',
    follow: 'read',
    changes: 'read',
    close: 'read',
  },
  store: {
    put: { write: 'put', detail: (_stack, { record }) => record.reason },
    annotate: { write: 'annotate', detail: (_stack, _id, change) => Object.keys(change).sort().join('+') },
    prune: { write: 'prune', detail: (_stack, _id, { because }) => because },
    sizes: 'read',
    list: 'read',
    resolve: 'read',
    get: 'read',
    secrets: 'read',
    verify: 'read',
    proveKeys: 'read',
  },
  files: { write: { write: 'write', detail: (path) => lastPart(path) }, read: 'read' },
  lock: { acquire: { write: 'acquire', detail: () => '' }, look: 'read' },
  held: {
    release: { write: 'release', detail: () => '' },
    assertHeld: 'read',
    assertFresh: 'read',
    enter: 'read',
    takeover: 'read',
    token: 'read',
    lost: 'read',
  },
  cluster: {
    create: { write: 'create', detail: objectOf, unless: isDry },
    apply: { write: 'apply', detail: objectOf, unless: isDry },
    replace: { write: 'replace', detail: objectOf, unless: isDry },
    patch: { write: 'patch', detail: ({ kind, name }) => `${kind}/${name}`, unless: (_r, _p, o) => o?.dryRun === true },
    delete: { write: 'delete', detail: ({ kind, name }) => `${kind}/${name}`, unless: isDry },
    proxy: {
      write: 'proxy',
      detail: ({ method, headers }) => requestDetail(method, headers),
      unless: ({ method }) => isReading(method),
    },
    exec: { write: 'exec', detail: ({ command: [program = ''] }) => lastPart(program) },
    identity: 'read',
    kinds: 'read',
    kindOf: 'read',
    get: 'read',
    list: 'read',
    watch: 'read',
    logs: 'read',
    forward: 'read',
    close: 'read',
  },
  engine: { up: { write: 'up', detail: () => '' }, preview: 'read' },
  http: {
    request: {
      write: 'request',
      detail: ({ method, headers }) => requestDetail(method, headers),
      unless: ({ method }) => isReading(method),
    },
  },
  exec: { run: { write: 'run', detail: ([program = '']) => lastPart(program) } },
  dataStore: {
    backup: { write: 'backup', detail: () => '' },
    prove: { write: 'prove', detail: (_backup, wanted) => wanted },
    restoreBeside: { write: 'restore-beside', detail: () => '' },
    swap: { write: 'swap', detail: () => '' },
    undoSwap: { write: 'undo-swap', detail: () => '' },
    finalize: { write: 'finalize', detail: () => '' },
    setting: 'read',
    inspect: 'read',
    sessions: 'read',
    shape: 'read',
    integrity: 'read',
    backups: 'read',
    find: 'read',
    obstacles: 'read',
    stateOf: 'read',
    windows: 'read',
    takeBase: { write: 'take-base', detail: () => '' },
    backupAt: { write: 'backup-at', detail: ({ kind }) => kind },
    lookInPlace: 'read',
    restoreInPlace: { write: 'restore-in-place', detail: () => '' },
    newRows: { write: 'new-rows', detail: () => '' },
    keepNewRows: { write: 'keep-new-rows', detail: () => '' },
  },
  migrations: {
    migrate: { write: 'migrate', detail: ({ from, to }) => `${from ?? 'base'}..${to ?? 'base'}` },
    store: 'read',
    setting: 'read',
    current: 'read',
    known: 'read',
    wayTo: 'read',
  },
};

/** The same in every run of one plan, so that a point of one run is found again in the next. */
function entryDetail(entry: Parameters<JournalStore['append']>[0]): string {
  switch (entry.kind) {
    case 'phase-entered':
      return `${entry.kind}:${entry.phase}`;
    case 'step-begin':
    case 'step-end':
      return `${entry.kind}:${entry.reverse === true ? 'back:' : ''}${entry.step}`;
    case 'event':
      return `${entry.kind}:${entry.event.type}`;
    default:
      return entry.kind;
  }
}

/** One kind of object is written for three reasons. */
function leaseWrite(lease: object): 'acquire' | 'renew' | 'release' {
  const { spec = {} } = lease as {
    readonly spec?: { readonly holderIdentity?: string; readonly acquireTime?: string; readonly renewTime?: string };
  };
  if ((spec.holderIdentity ?? '') === '') return 'release';
  return spec.acquireTime === spec.renewTime ? 'acquire' : 'renew';
}

/** Never the address: that of a webhook is its password. Hooks are told apart by what they are for. */
function requestDetail(method: string, headers: Readonly<Record<string, string>> = {}): string {
  const key = Object.entries(headers).find(([name]) => name.toLowerCase() === 'idempotency-key')?.[1];
  return key === undefined ? method : lastPart(key);
}

function isReading(method: string): boolean {
  return method === 'GET' || method === 'HEAD';
}

function lastPart(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
