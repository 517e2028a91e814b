import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadStack } from '../../src/config/index.ts';
import type { Stack } from '../../src/model/index.ts';

describe('a Neo4j store in a stack file', () => {
  let projectDir: string;
  beforeEach(async () => {
    projectDir = await mkdtemp(join(tmpdir(), 'backstay-config-'));
    await mkdir(join(projectDir, 'stacks'));
  });
  afterEach(async () => await rm(projectDir, { recursive: true, force: true }));

  async function load(more: string): Promise<Stack> {
    const store = `{name: graph, kind: neo4j, connection: {user: neo4j}${more === '' ? '' : `, ${more}`}}`;
    await writeFile(
      join(projectDir, 'stacks', 'Pulumi.shop.yaml'),
      `config:\n  backstay:namespaces: shop\n  backstay:foreign: [{kind: Deployment, path: spec.replicas}]\n  backstay:stores:\n    - ${store}\n`,
    );
    return await loadStack('shop', { projectDir, env: { HOME: projectDir } });
  }

  it('may say nothing of its server: it is looked at then', async () => {
    const { stores, foreign } = await load('');
    expect(stores).toEqual([
      {
        name: 'graph',
        kind: 'neo4j',
        connection: { user: 'neo4j', database: 'neo4j' },
        tables: [],
        writers: [],
        limitMs: 1_800_000,
      },
    ]);
    expect(foreign).toHaveLength(1);
  });

  it('names a server of this machine, its folders relative to the project', async () => {
    const { stores } = await load('local: {home: graph, stop: [systemctl, stop, neo4j], start: [go]}, timeLimit: 90s');
    expect(stores[0]).toMatchObject({
      server: { kind: 'local', home: join(projectDir, 'graph'), stop: ['systemctl', 'stop', 'neo4j'], start: ['go'] },
      limitMs: 90_000,
    });
  });

  it('says that the files of a workload are reached by a pod', async () => {
    const { stores } = await load('workload: {name: StatefulSet/neo4j, files: pod}');
    expect(stores).toMatchObject([{ server: { kind: 'workload', files: 'pod', mount: '/data' } }]);
  });

  it('names a workload, and makes what it serves a field that no roll-out brings back', async () => {
    const { stores, foreign } = await load('workload: {name: StatefulSet/neo4j, container: graph}');
    expect(stores[0]).toMatchObject({
      server: {
        kind: 'workload',
        workload: { kind: 'StatefulSet', name: 'neo4j' },
        container: 'graph',
        mount: '/data',
      },
    });
    expect(foreign).toEqual([
      { kind: 'Deployment', path: 'spec.replicas' },
      {
        kind: 'StatefulSet',
        name: 'neo4j',
        path: 'spec.template.spec.containers[name=graph].env[name=NEO4J_initial_dbms_default__database]',
      },
    ]);
  });

  it.each([
    ['both places at once', 'workload: {name: StatefulSet/neo4j}, local: {home: g, stop: [a], start: [b]}'],
    ['a workload of another kind', 'workload: {name: DaemonSet/neo4j}'],
    ['files that are reached otherwise', 'workload: {name: StatefulSet/neo4j, files: ssh}'],
    ['a command of no words', 'local: {home: g, stop: [], start: [b]}'],
    ['programs by half', 'tools: {admin: [neo4j-admin]}'],
  ])('refuses %s', async (_what, more) => {
    await expect(load(more)).rejects.toMatchObject({ code: 'STACK_INVALID' });
  });
});
