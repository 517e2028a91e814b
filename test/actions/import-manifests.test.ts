import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  type ImportDeps,
  importManifests,
  type ImportOptions,
  type ImportResult,
} from '../../src/actions/import-manifests.ts';
import { readManifests } from '../../src/adapters/fs/index.ts';
import { BackstayError } from '../../src/errors/index.ts';
import { keyOf } from '../../src/model/index.ts';
import { secret, type TemporaryStore, temporaryStore } from '../support/snapshots.ts';

let place: TemporaryStore;
let directory: string;
beforeEach(async () => {
  place = await temporaryStore('demo', { roles: { workers: [], data: [{ kind: 'StatefulSet', name: 'postgres' }] } });
  directory = await mkdtemp(join(tmpdir(), 'backstay-manifests-'));
});
afterEach(async () => {
  await place.remove();
  await rm(directory, { recursive: true, force: true });
});

async function write(files: Record<string, string>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(directory, name)), { recursive: true });
    await writeFile(join(directory, name), text);
  }
}

const run = (options: Partial<ImportOptions> = {}, deps: Partial<ImportDeps> = {}): Promise<ImportResult> =>
  importManifests(
    { directory, ...options },
    {
      stack: place.stack,
      store: place.store,
      hasher: place.hasher,
      clock: { now: () => 1_767_225_600_000 },
      readManifests,
      ...deps,
    },
  );

async function failure(options: Partial<ImportOptions> = {}, deps: Partial<ImportDeps> = {}): Promise<BackstayError> {
  const error = await run(options, deps).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(BackstayError);
  return error as BackstayError;
}

const cm = (name: string, extra = ''): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}${extra}}\ndata: {a: b}\n`;

describe('importing manifests', () => {
  test('takes every document of every file below the directory, Lists taken apart, and gives them the first namespace', async () => {
    await write({
      'b.yaml': `${cm('one')}---\n# nothing here\n---\n${cm('two', ', namespace: production')}`,
      'deep/er/a.yml':
        'apiVersion: v1\nkind: List\nitems:\n  - {apiVersion: v1, kind: Service, metadata: {name: s}, spec: {ports: [{port: 80}]}}\n',
      'c.json': JSON.stringify(
        {
          apiVersion: 'apps/v1',
          kind: 'StatefulSet',
          metadata: { name: 'postgres' },
          spec: { template: { spec: { containers: [{ name: 'pg', image: 'postgres:16' }] } } },
        },
        null,
        '\t',
      ),
      '.hidden/x.yaml': cm('hidden'),
      'notes.txt': 'not a manifest',
    });
    const result = await run({ labels: ['v1.2.2'], note: 'from the repository' });
    const { content, sighting } = await place.store.resolve('demo', 'v1.2.2');
    expect(content.objects.map((object) => keyOf(object))).toEqual([
      'apps/StatefulSet/production/postgres',
      'core/ConfigMap/production/one',
      'core/ConfigMap/production/two',
      'core/Service/production/s',
    ]);
    expect(content).not.toHaveProperty('clusterUid');
    expect(content.images).toEqual([
      { workload: 'apps/StatefulSet/production/postgres', container: 'pg', image: 'postgres:16' },
    ]);
    expect(sighting.record).toMatchObject({
      reason: 'import',
      verdict: 'unknown',
      note: 'from the repository',
      labels: ['v1.2.2'],
    });
    expect(sighting.signature.state).toBe('trusted');
    expect(result).toMatchObject({
      kind: 'imported',
      objects: 4,
      dataStores: ['apps/StatefulSet/production/postgres'],
    });
  });

  test('makes one snapshot of a Secret whether it was written as data or as stringData, and stores no value in clear', async () => {
    await write({
      's.yaml':
        'apiVersion: v1\nkind: Secret\ntype: Opaque\nmetadata: {name: db}\nstringData: {password: canary-hunter2}\n',
    });
    const plain = await run();
    await write({ 's.yaml': JSON.stringify(secret('db', { password: 'canary-hunter2' })) });
    const encoded = await run();
    expect(encoded.id).toBe(plain.id);
    const values = await place.store.secrets('demo', await place.store.get('demo', plain.id));
    expect([...values.values()]).toEqual([{ password: Buffer.from('canary-hunter2').toString('base64') }]);
    for (const entry of await readdir(place.root, { recursive: true, withFileTypes: true })) {
      if (entry.isFile())
        expect(await readFile(join(entry.parentPath, entry.name), 'latin1')).not.toMatch(/hunter2|Y2FuYXJ5/);
    }
  });

  test('leaves out what is no state of the stack and says why', async () => {
    await write({
      'all.yaml': [
        cm('kept'),
        cm('kube-root-ca.crt'),
        'apiVersion: v1\nkind: Namespace\nmetadata: {name: production}\n',
        'apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: reader, namespace: ignored}\n',
        'apiVersion: v1\nkind: Pod\nmetadata: {name: p, ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: r, uid: u, controller: true}]}\n',
      ].join('---\n'),
    });
    const result = await run();
    expect(result.objects).toBe(1);
    expect(result.left.map(({ key }) => key)).toEqual([
      'core/ConfigMap/production/kube-root-ca.crt',
      'core/Namespace/-/production',
      'rbac.authorization.k8s.io/ClusterRole/-/reader',
      'core/Pod/production/p',
    ]);
    expect(result.left.every(({ reason, place: where }) => reason.length > 0 && where.line > 0)).toBe(true);
  });

  test('asks the cluster whether a kind has namespaces, and falls back on its table when the cluster is out of reach', async () => {
    await write({ 'w.yaml': 'apiVersion: acme.dev/v1\nkind: Widget\nmetadata: {name: w}\n' });
    const stack = { ...place.stack, capture: { exclude: [], include: [{ kind: 'Widget' }] } };
    const served = {
      group: 'acme.dev',
      version: 'v1',
      kind: 'Widget',
      resource: 'widgets',
      namespaced: false,
      verbs: [],
    };
    const asked = await run({}, { stack, cluster: { kindOf: () => Promise.resolve(served) } });
    const content = (await place.store.get('demo', asked.id)).content;
    expect(content.objects.map((object) => keyOf(object))).toEqual(['acme.dev/Widget/-/w']);
    const unreachable = { kindOf: () => Promise.reject(new BackstayError('CLUSTER_UNREACHABLE', 'no answer')) };
    const assumed = await run({}, { cluster: unreachable });
    expect(assumed.warnings).toEqual([expect.stringContaining('CLUSTER_UNREACHABLE')]);
    expect((await place.store.get('demo', assumed.id)).content.objects.map((object) => keyOf(object))).toEqual([
      'acme.dev/Widget/production/w',
    ]);
  });
});

describe('manifests with mistakes', () => {
  test('are refused with every mistake at its place, and nothing is stored', async () => {
    await write({
      'a.yaml': `${cm('twice')}---\nkind: ConfigMap\nmetadata: {name: x}\n---\n${cm('else', ', namespace: staging')}`,
      'b.yaml': `${cm('twice')}---\napiVersion: v1\nkind: Pod\nmetadata: {generateName: x-}\n`,
      'c.yaml': 'a: [1\nb: 2\n',
      'd.yaml':
        'apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {password: canary-hunter2!}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: t}\nstringData: {port: 5432}\n',
    });
    const error = await failure();
    const lines = error.message.split('\n').map((line) => line.replace(`${directory}/`, ''));
    expect(error.code).toBe('MANIFESTS_INVALID');
    for (const expected of [
      /^a\.yaml:6:1: expected a Kubernetes object with apiVersion and kind$/,
      /^a\.yaml:9:1: core\/ConfigMap\/staging\/else is in the namespace staging; the stack has production$/,
      /^b\.yaml:1:1: core\/ConfigMap\/production\/twice is given a second time; the first is in .*a\.yaml:1$/,
      /^b\.yaml:6:1: Pod: expected metadata\.name/,
      /^c\.yaml:2:1: /,
      /^d\.yaml:1:1: Secret s: expected data\.password to be base64/,
      /^d\.yaml:6:1: Secret t: expected stringData\.port to be text/,
    ]) {
      expect(lines.filter((line) => expected.test(line))).toHaveLength(1);
    }
    expect(error.message).not.toContain('hunter2');
    expect(await place.store.list('demo')).toEqual([]);
  });

  test.each([
    ['a directory that is not there', {}, 'nowhere', /does not exist/],
    ['a directory without manifests', { 'x.txt': 'x' }, '', /holds no \.yaml/],
    [
      'manifests of which none belongs to the stack',
      { 'n.yaml': 'apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n' },
      '',
      /not included by the stack file/,
    ],
    ['files of comments only', { 'n.yaml': '# nothing\n' }, '', /holds no objects/],
  ])('%s is refused', async (_, files, below, message) => {
    await write(files);
    const error = await failure({ directory: join(directory, below) });
    expect(error.code).toBe('MANIFESTS_INVALID');
    expect(error.message).toMatch(message);
  });
});

describe('importing without the signing key', () => {
  test('needs the flag that says so, and then gives a snapshot that is refused without that flag', async () => {
    await write({ 'a.yaml': cm('a') });
    await rm(join(place.keyFolder, 'signing.jwk'));
    const refused = await failure();
    expect(refused.code).toBe('KEY_MISSING');
    expect(refused.next).toContain('--allow-unsigned');
    const { id, sighting } = await run({ allowUnsigned: true });
    expect(sighting.signature).toEqual({ state: 'unsigned' });
    await expect(place.store.get('demo', id)).rejects.toMatchObject({ code: 'SNAPSHOT_UNSIGNED' });
  });

  test('signs all the same when the key is at hand', async () => {
    await write({ 'a.yaml': cm('a') });
    expect((await run({ allowUnsigned: true })).sighting.signature.state).toBe('trusted');
  });
});

describe('placeholders for credentials', () => {
  const inSecret = (name: string, values: Record<string, string>, field = 'stringData'): string =>
    JSON.stringify({ apiVersion: 'v1', kind: 'Secret', metadata: { name }, [field]: values });

  test('are filled in wherever stringData has them, from one question, and nowhere else', async () => {
    const url = 'postgresql://kg:${credential:postgres}@db:5432/kg?app=${credential:app-2}';
    const literal = '${credential:postgres}';
    await write({
      'a.json': inSecret('one', { URL: url, PLAIN: 'as it is' }),
      'b.json': inSecret('two', { PASSWORD: literal }),
      'c.json': inSecret('three', { RAW: Buffer.from(literal).toString('base64') }, 'data'),
      'd.yaml': `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: '${literal}'}\n`,
    });
    const asked: (readonly string[])[] = [];
    const credentials = {
      of: (names: readonly string[]) => {
        asked.push(names);
        return Promise.resolve(Object.fromEntries(names.map((name) => [name, `$&made-for-${name}`])));
      },
    };
    const { id } = await run({}, { credentials });
    expect(asked).toEqual([['app-2', 'postgres']]);
    const snapshot = await place.store.get('demo', id);
    const values = Object.fromEntries(
      [...(await place.store.secrets('demo', snapshot)).values()].flatMap((entry) =>
        Object.entries(entry).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]),
      ),
    );
    expect(values).toEqual({
      URL: 'postgresql://kg:$&made-for-postgres@db:5432/kg?app=$&made-for-app-2',
      PLAIN: 'as it is',
      PASSWORD: '$&made-for-postgres',
      RAW: literal,
    });
    expect(snapshot.content.objects.find(({ kind }) => kind === 'ConfigMap')?.['data']).toEqual({ a: literal });
  });

  test('ask for nothing when there are none', async () => {
    await write({ 'a.json': inSecret('one', { PASSWORD: 'as it is' }) });
    const of = (): Promise<never> => Promise.reject(new Error('was asked'));
    expect((await run({}, { credentials: { of } })).objects).toBe(1);
  });

  test.each([
    ['without anything that makes them', '${credential:postgres}', false, /needs the credential postgres/],
    ['with a name that cannot be one', '${credential:Post_gres}', true, /expected \$\{credential:NAME\}/],
    ['without a name', '${credential:}', true, /expected \$\{credential:NAME\}/],
    ['without an end', 'x${credential:postgres', true, /expected \$\{credential:NAME\}/],
  ])('%s are refused at their place, before any is made', async (_, value, have, message) => {
    await write({ 'a.yaml': `${cm('one')}---\n${inSecret('two', { KEY: value, OTHER: 'canary-hunter2' })}\n` });
    const of = (): Promise<never> => Promise.reject(new Error('was asked'));
    const error = await failure({}, have ? { credentials: { of } } : {});
    expect(error.code).toBe('MANIFESTS_INVALID');
    expect(error.at).toEqual({ file: join(directory, 'a.yaml'), line: 6, column: 1 });
    expect(error.message).toMatch(/a\.yaml:6:1: Secret two: stringData\.KEY/);
    expect(error.message).toMatch(message);
    expect(error.message).not.toContain('hunter2');
    expect(await place.store.list('demo')).toEqual([]);
  });
});
