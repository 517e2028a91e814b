import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RECORD, STOPPED, VARIABLE } from '../../../src/adapters/neo4j/place-workload.ts';
import { pointersOf } from '../../../src/config/stores/neo4j.ts';
import { capturedForm, carryOver, type KubeObject } from '../../../src/model/index.ts';
import type { DataStore } from '../../../src/ports/index.ts';
import { neo4jInCluster, type Neo4jInCluster } from './in-cluster.ts';

const LIMIT = 300_000;

/** A real server as a pod's process: stopped by its StatefulSet, its volume a folder of this machine. */
describe('a Neo4j data store in the cluster', () => {
  let here: Neo4jInCluster;
  let store: DataStore;

  beforeAll(async () => {
    here = await neo4jInCluster(LIMIT);
    ({ store } = here);
  }, LIMIT);
  afterAll(async () => await here.stop());

  it(
    'is backed up, taken back, undone and finalized by its workload alone',
    async () => {
      await here.ask("CREATE (:Marker {word: 'one'})-[:OF]->(:Thing)");
      const backup = await store.backup();
      expect(backup.manifest.rows).toEqual({ '()': 2, '()-->()': 1, Marker: 1, Thing: 1, '-[:OF]->': 1 });
      // Given back: whoever looks finds it as it was.
      expect((await here.get())['spec']).toMatchObject({ replicas: 1 });
      expect((await here.get()).metadata.annotations?.[STOPPED]).toBeUndefined();
      expect(await store.obstacles(backup)).toEqual([]);

      await here.ask("MATCH (m:Marker) SET m.word = 'two'");
      const { database } = await store.restoreBeside(backup, 'r1');
      expect(await here.marker()).toBe('two');
      expect(await here.variable()).toBe('neo4j');
      await store.swap('r1');
      expect(await here.marker()).toBe('one');
      expect(await here.variable()).toBe(database);
      expect(await store.stateOf('r1')).toBe('swapped');
      await store.undoSwap('r1');
      expect(await here.marker()).toBe('two');
      expect(await here.variable()).toBe('neo4j');
      expect(await store.finalize('r1')).toEqual([database]);
      expect((await here.get()).metadata.annotations?.[RECORD]).toBeUndefined();
    },
    LIMIT,
  );

  it('keeps what it serves out of what a roll-out brings back', async () => {
    const foreign = pointersOf([here.setting]);
    const live = await here.get();
    const pointed = structuredClone(live) as unknown as {
      spec: { template: { spec: { containers: { env: { name: string; value?: string }[] }[] } } };
    };
    const [container] = pointed.spec.template.spec.containers;
    if (container === undefined) throw new TypeError('a workload without a container');
    const others = container.env.filter(({ name }) => name !== VARIABLE);
    container.env = [...others, { name: VARIABLE, value: 'neo4j-bs-r9' }];
    const moved = pointed as unknown as KubeObject;
    expect(capturedForm(moved, foreign)).toEqual(capturedForm(live, foreign));
    expect(capturedForm(moved)).not.toEqual(capturedForm(live));
    expect(JSON.stringify(carryOver(moved, live, { foreign }))).toContain('neo4j-bs-r9');
  });

  it(
    'lets nobody point it who saw something else',
    async () => {
      const backup = await store.find('latest');
      await store.restoreBeside(backup, 'r2');
      // Another machine began meanwhile.
      const { holder: _mine, ...record } = JSON.parse((await here.get()).metadata.annotations?.[RECORD] ?? '{}') as {
        holder?: string;
      };
      await here.cluster.patch(here.ref, {
        type: 'merge',
        body: { metadata: { annotations: { [RECORD]: JSON.stringify({ ...record, holder: 'r3' }) } } },
      });
      await expect(store.swap('r2')).rejects.toMatchObject({ code: 'STORE_FENCED' });
      expect(await here.marker()).toBe('two');
      await store.finalize('r2');
    },
    LIMIT,
  );

  it(
    'is started again by whoever resumes, when it was left stopped',
    async () => {
      await here.cluster.patch(here.ref, {
        type: 'merge',
        body: { metadata: { annotations: { [STOPPED]: '1' } }, spec: { replicas: 0 } },
      });
      const { manifest } = await store.backup();
      expect(manifest.rows['Marker']).toBe(1);
      expect((await here.get())['spec']).toMatchObject({ replicas: 1 });
      expect(await here.marker()).toBe('two');
    },
    LIMIT,
  );
});
