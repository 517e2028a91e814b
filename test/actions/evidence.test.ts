import { describe, expect, it } from 'vitest';
import { createArchive } from '../../src/adapters/archive/index.ts';
import { collectEvidence, type EvidenceDeps } from '../../src/actions/evidence.ts';
import { createSystemClock } from '../../src/adapters/system/index.ts';
import { BackstayError } from '../../src/errors/index.ts';
import type { KubeObject } from '../../src/model/index.ts';
import type { ArchivedFile, Cluster } from '../../src/ports/index.ts';
import { aDeployment, aPod, aReplicaSet, fakeCluster } from '../hooks/fake-cluster.ts';
import { secret } from '../support/snapshots.ts';
import { stackOf } from '../support/stack.ts';

const archive = createArchive();
const GATEWAY = aDeployment('gateway', { metadata: { uid: 'uid-gateway' } });
const SETS = [aReplicaSet('gateway-1', 'gateway', '2', '1')];
const POD: KubeObject = {
  ...aPod('gateway-1-x', 'gateway', '1', 'gateway:2'),
  status: { containerStatuses: [{ name: 'main', restartCount: 1, state: { running: {} } }] },
};
const KINDS = [
  ['', 'v1', 'Pod', 'pods'],
  ['', 'v1', 'Secret', 'secrets'],
  ['apps', 'v1', 'Deployment', 'deployments'],
  ['apps', 'v1', 'ReplicaSet', 'replicasets'],
] as const;

interface Told {
  readonly files: readonly ArchivedFile[];
  readonly text: string;
  readonly manifest: Awaited<ReturnType<typeof collectEvidence>>['manifest'];
  readonly tookMs: number;
}

/** Collects from a cluster that is in memory but for the calls that a test replaces. */
async function collect(
  cluster: Partial<Cluster>,
  limits: { readonly ms?: number; readonly bytes?: number } = {},
  signal?: AbortSignal,
): Promise<Told> {
  const objects = [GATEWAY, ...SETS, POD, secret('db', { password: 'hunter22-and-more' })];
  const base = fakeCluster({ objects });
  let written: Uint8Array = new Uint8Array();
  const deps: EvidenceDeps = {
    stack: stackOf('production'),
    cluster: {
      ...base,
      kinds: async () =>
        KINDS.map(([group, version, kind, resource]) => ({
          group,
          version,
          kind,
          resource,
          namespaced: true,
          verbs: ['list', 'create'],
        })),
      logs: async () => 'password is hunter22-and-more\n',
      ...cluster,
    },
    hasher: {
      hide: (all) => ({ objects: all.filter(({ kind }) => kind !== 'Secret'), secrets: new Map() }),
      reveal: (all) => all,
    },
    clock: createSystemClock(),
    ask: async () => {
      throw new TypeError('no metrics here');
    },
    archive,
    files: {
      write: async (_path, content) => {
        written = typeof content === 'string' ? Buffer.from(content) : content;
      },
      read: async () => undefined,
    },
  };
  const began = performance.now();
  const { manifest } = await collectEvidence(
    {
      path: '/evidence',
      limits: { ms: limits.ms ?? 5_000, bytes: limits.bytes ?? 1_000_000, logLines: 100 },
      ...(signal === undefined ? {} : { signal }),
    },
    deps,
  );
  const tookMs = performance.now() - began;
  const files = await archive.unpack(written);
  return { files, manifest, tookMs, text: files.map(({ content }) => Buffer.from(content).toString()).join('\n') };
}

const never = async (): Promise<never> => await new Promise<never>(() => undefined);
const pathsOf = ({ files }: Told): readonly string[] => files.map(({ path }) => path);

describe('collecting', () => {
  it('keeps logs of both runs of a container, redacted', async () => {
    const told = await collect({});
    expect(pathsOf(told)).toContain('logs/production/gateway-1-x/main.log');
    expect(pathsOf(told)).toContain('logs/production/gateway-1-x/main.previous.log');
    expect(told.text).toContain('password is [redacted:db.password]');
    expect(told.text).not.toContain('hunter22');
    expect(told.manifest.missing).toEqual([]);
  });

  it('ends within its limit when a node never answers, with what is there by then', async () => {
    const told = await collect({ logs: never }, { ms: 400 });
    expect(told.tookMs).toBeLessThan(1_500);
    expect(pathsOf(told)).toContain(`objects/production/deployment.gateway.json`);
    expect(pathsOf(told)).toContain('events.json');
    expect(told.manifest.missing).toEqual([
      { source: 'log of container main of pod production/gateway-1-x', why: 'not read within 320 ms' },
      {
        source: 'log of the run before of container main of pod production/gateway-1-x',
        why: 'not read within 320 ms',
      },
    ]);
  });

  it('keeps nothing that programs wrote when nobody knows what is secret', async () => {
    const told = await collect({ identity: never }, { ms: 400 });
    expect(pathsOf(told)).toEqual(['manifest.json']);
    expect(told.manifest.missing.map(({ source }) => source)).toEqual(['the objects of the stack', 'events and logs']);
  });

  it('says that only patterns were redacted when the Secrets may not be read', async () => {
    const base = fakeCluster({ objects: [GATEWAY, ...SETS, POD] });
    const told = await collect({
      list: async (kind, options) => {
        if (kind.kind === 'Secret' && options?.signal?.aborted === false)
          throw new BackstayError('KIND_UNKNOWN', 'gone while it was read');
        return await base.list(kind, options);
      },
    });
    expect(told.manifest.missing).toEqual([
      { source: 'the values of Secrets, so that they are redacted', why: 'gone while it was read' },
    ]);
  });

  it('names what one pod refuses, and keeps the rest', async () => {
    const told = await collect({
      logs: async ({ previous }) => {
        if (previous === true) throw new BackstayError('OBJECT_REFUSED', 'previous container not found');
        return 'fine\n';
      },
    });
    expect(told.manifest.missing).toMatchObject([{ why: 'previous container not found' }]);
    expect(pathsOf(told)).toContain('logs/production/gateway-1-x/main.log');
  });

  it('drops the last line of a log that the server cut: it may be half a secret', async () => {
    const line = 'x'.repeat(99);
    const told = await collect({
      logs: async ({ limitBytes = 0 }) =>
        `${`${line}\n`.repeat(Math.floor(limitBytes / 100))}hunter22-an`.padEnd(limitBytes, '.'),
    });
    expect(told.text).not.toContain('hunter22-an');
    expect(told.manifest.files.find(({ path }) => path.endsWith('main.log'))?.cut).toContain(
      'the newest lines are missing',
    );
  });

  it('stops at once when the run is broken off, and writes nothing', async () => {
    const stop = new AbortController();
    const collecting = collect({ logs: never }, {}, stop.signal);
    stop.abort(new BackstayError('LEASE_LOST', 'taken'));
    await expect(collecting).rejects.toMatchObject({ code: 'LEASE_LOST' });
  });
});
