import { createHash } from 'node:crypto';
import { readFile, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RECORD, STOPPED } from '../../../src/adapters/neo4j/place-workload.ts';
import { BackstayError } from '../../../src/errors/index.ts';
import type { Backup } from '../../../src/model/index.ts';
import type { Cluster } from '../../../src/ports/index.ts';
import { neo4jInCluster, type Neo4jInCluster } from './in-cluster.ts';

const LIMIT = 300_000;

/** A real server as a pod's process, whose volume Backstay enters by a Job of its own and by nothing else. */
describe('a Neo4j data store in a volume that only pods reach', { timeout: LIMIT }, () => {
  let here: Neo4jInCluster;
  let backup: Backup;

  const jobs = async (): Promise<readonly string[]> => {
    const kind = await here.cluster.kindOf('batch/v1', 'Job');
    if (kind === undefined) throw new TypeError('no Jobs');
    return (await here.cluster.list(kind, { namespace: here.namespace })).items.map(({ metadata }) => metadata.name);
  };
  const isAlone = async (...databases: readonly string[]): Promise<void> => {
    expect(await jobs()).toEqual([]);
    expect(await here.databases()).toEqual(['neo4j', ...databases]);
  };

  beforeAll(async () => {
    here = await neo4jInCluster(LIMIT, 'pod');
    await here.ask("CREATE (:Marker {word: 'one'})-[:OF]->(:Thing)");
    backup = await here.store.backup();
    await here.ask("MATCH (m:Marker) SET m.word = 'two'");
  }, LIMIT);
  afterAll(async () => await here.stop());

  it('is dumped while it is stopped, and serves again', async () => {
    expect(backup.manifest.rows).toEqual({ '()': 2, '()-->()': 1, Marker: 1, Thing: 1, '-[:OF]->': 1 });
    expect(backup.proofs.map(({ proof }) => proof)).toEqual(['read']);
    const workload = await here.get();
    expect(workload['spec']).toMatchObject({ replicas: 1 });
    expect(workload.metadata.annotations?.[STOPPED]).toBeUndefined();
    await isAlone();
  });

  it('is loaded beside, proven there, exchanged, undone and finalized', async () => {
    const { store } = here;
    expect(await store.obstacles(backup)).toEqual([]);
    const { database, rows } = await store.restoreBeside(backup, 'r1');
    expect(rows).toEqual(backup.manifest.rows);
    expect(await here.marker()).toBe('two');
    await isAlone(database);
    // Told twice, it finds what it loaded.
    expect((await store.restoreBeside(backup, 'r1')).database).toBe(database);
    expect((await store.integrity(database)).rows).toEqual(backup.manifest.rows);
    await store.swap('r1');
    expect(await here.marker()).toBe('one');
    expect(await here.variable()).toBe(database);
    await store.undoSwap('r1');
    expect(await here.marker()).toBe('two');
    expect(await store.finalize('r1')).toEqual([database]);
    expect((await here.get()).metadata.annotations?.[RECORD]).toBeUndefined();
    await isAlone();
  });

  it('keeps nothing of a load that fails in its middle', async () => {
    const file = join(backup.folder, backup.manifest.file.name);
    const whole = await readFile(file);
    await truncate(file, Math.round(whole.length * 0.6));
    const cut = await readFile(file);
    const digest = `sha256:${createHash('sha256').update(cut).digest('hex')}` as const;
    const manifest = { ...backup.manifest, file: { ...backup.manifest.file, bytes: cut.length, digest } };
    // A manifest that knows nothing of it, and a check that is believed to have been done: only the load can tell.
    await expect(here.store.restoreBeside({ ...backup, manifest }, 'r2')).rejects.toMatchObject({
      code: 'STORE_FAILED',
      message: expect.stringContaining('neo4j-admin database load in the volume of persistentvolumeclaim/data-neo4j-0'),
    });
    expect(await here.store.stateOf('r2')).toBe('nothing');
    expect(await here.marker()).toBe('two');
    await isAlone();
  });

  it('ends what a process left at work that was killed', async () => {
    await here.cluster.create({
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'left', namespace: here.namespace, labels: { 'backstay.dev/neo4j-files': 'neo4j' } },
      spec: {
        template: {
          metadata: { labels: { 'backstay.dev/neo4j-files': 'neo4j' } },
          spec: {
            restartPolicy: 'Never',
            containers: [{ name: 'files', image: 'neo4j:5.26-community', command: ['sleep', '1000'] }],
          },
        },
      },
    });
    // Whatever is done next in that volume begins with it.
    expect(await here.store.integrity('there-is-none').catch((error: unknown) => error)).toMatchObject({
      code: 'STORE_FAILED',
    });
    await isAlone();
  });

  it('says before anything is paused that no Job may be made, or that there is no claim to mount', async () => {
    const create: Cluster['create'] = async (object, options) => {
      if (object.kind === 'Job') throw new BackstayError('CLUSTER_FORBIDDEN', 'ada cannot create Job');
      return await here.cluster.create(object, options);
    };
    const forbidding = new Proxy(here.cluster, {
      get: (target, key) => {
        const value: unknown = key === 'create' ? create : Reflect.get(target, key, target);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
    expect(await here.storeWith({}, forbidding).obstacles(backup)).toEqual([
      'a Job that reaches the volume cannot be made: ada cannot create Job',
    ]);
    expect(await here.storeWith({ mount: '/elsewhere' }).obstacles(backup)).toEqual([
      expect.stringContaining('in no claim that another pod could mount'),
    ]);
    await isAlone();
  });
});
