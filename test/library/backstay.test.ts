import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Backstay, isBackstayError } from 'backstay';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fakeService, json } from '../client/fake-service.ts';
import { type Machine, machine, PROJECT } from '../support/backstay.ts';
import { echo, serviceOf, type Shop, shop } from '../support/shop.ts';

const NODE = join(PROJECT, 'node_modules', '.bin', 'node');

/** An example as a person runs it. */
async function example(name: string, args: readonly string[], env: Machine['env']) {
  const file = join(PROJECT, 'examples', 'library', name);
  return await promisify(execFile)(NODE, ['--disable-warning=ExperimentalWarning', file, ...args], { env });
}

describe('the library without a cluster', () => {
  let here: Machine;
  let backstay: Backstay;
  beforeAll(async () => {
    here = await machine();
    await here.stack('shop', 'config:\n  backstay:namespaces: [shop]\n');
    backstay = await Backstay.open({ env: here.env, projectDir: here.projectDir, user: 'robot' });
  });
  afterAll(async () => {
    await backstay.close();
    await here.remove();
  });

  it('knows the stacks, what they say, and that nothing was done yet', async () => {
    expect(await backstay.stacks()).toEqual(['shop']);
    expect(await backstay.stack('shop')).toMatchObject({ name: 'shop', namespaces: ['shop'] });
    expect(await backstay.list('shop')).toEqual({ rows: [], damaged: [] });
    expect(await backstay.history()).toEqual([]);
  });

  it('asks for what the stack wants said, before it looks at anything', async () => {
    await expect(backstay.plan('shop', { target: 'known-good' })).rejects.toSatisfy((error) =>
      isBackstayError(error, 'USAGE'),
    );
  });

  it('throws what is not there as an error with its code', async () => {
    await expect(backstay.stack('shp')).rejects.toMatchObject({ code: 'STACK_UNKNOWN' });
    await expect(backstay.watch('20260101-000000-abcdef').next()).rejects.toMatchObject({ code: 'RUN_UNKNOWN' });
    await expect(backstay.resume('20260101-000000-abcdef')).rejects.toMatchObject({ code: 'RUN_UNKNOWN' });
  });

  it('reads the environment that it is given, and no other', async () => {
    const other = await Backstay.open({ env: { HOME: here.dir }, projectDir: here.projectDir });
    try {
      expect(await other.stacks()).toEqual(['shop']);
    } finally {
      await other.close();
    }
  });
});

describe('a program of somebody else', () => {
  it('asks a service with an address and a token alone, as the example does', async () => {
    const service = await fakeService(({ url, headers }, response) =>
      headers.authorization === 'Bearer bst_x' && url.startsWith('/v1/runs?stack=shop')
        ? json(response, 200, { items: [{ kind: 'run', run: 'r1', outcome: 'succeeded' }] })
        : json(response, 401, { code: 'ACCESS_UNPROVEN', detail: 'no' }),
    );
    try {
      const env = { PATH: process.env['PATH'] ?? '', BACKSTAY_SERVER: service.url, BACKSTAY_TOKEN: 'bst_x' };
      expect((await example('ask-service.ts', ['shop'], env)).stdout).toBe('r1 succeeded\n');
    } finally {
      await service.close();
    }
  });

  it('imports it by its name where it was linked', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'backstay-consumer-'));
    try {
      await mkdir(join(folder, 'node_modules'));
      await symlink(PROJECT, join(folder, 'node_modules', 'backstay'));
      const program = [
        "import { Backstay, isBackstayError } from 'backstay';",
        'await using backstay = await Backstay.open({ projectDir: process.cwd(), env: { HOME: process.cwd() } });',
        "const error = await backstay.stack('gone').catch((error) => error);",
        'console.log(isBackstayError(error), error.code);',
      ];
      await writeFile(join(folder, 'program.mjs'), program.join('\n'));
      const args = ['--disable-warning=ExperimentalWarning', 'program.mjs'];
      const { stdout } = await promisify(execFile)(NODE, args, { cwd: folder });
      expect(stdout).toBe('true STACK_UNKNOWN\n');
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});

describe('the library on a cluster', () => {
  let store: Shop;
  beforeAll(async () => {
    store = await shop('lib', '');
    await store.import('good', [echo(store.namespace, 'web', { tag: 'v1' }), serviceOf(store.namespace, 'web')]);
    await store.import('bad', [echo(store.namespace, 'web', { tag: 'v2' }), serviceOf(store.namespace, 'web')]);
    await store.machine.ok(['apply', store.name, '--to', 'bad', '--yes']);
  }, 120_000);
  afterAll(async () => await store.remove());

  const image = async (): Promise<unknown> => {
    const { spec } = await store.get('Deployment', 'web');
    return (spec as { template: { spec: { containers: { image: string }[] } } }).template.spec.containers[0]?.image;
  };

  it('takes a stack back by the example, tells the run as it was, and takes it back again', async () => {
    const { machine: here, name } = store;
    const taken = await example('take-back.ts', [name, 'good', 'it is slow'], here.env);
    const { run, outcome } = JSON.parse(taken.stdout) as { run: string; outcome: string };
    expect(outcome).toBe('succeeded');
    expect(await image()).toContain(':v1');

    const lines = (await example('follow.ts', [run], here.env)).stdout.trimEnd().split('\n');
    expect(lines[0]).toContain('run.started');
    expect(lines.at(-1)).toContain('run.ended');

    await using backstay = await Backstay.open({ env: here.env, projectDir: here.projectDir, user: 'robot' });
    const [past] = await backstay.history({ stack: name, limit: 1 });
    expect(past).toMatchObject({ run, outcome: 'succeeded', trigger: 'pipeline', reason: 'it is slow' });

    const told: string[] = [];
    const undone = await backstay.undo(run, {}, { onEvent: ({ type }) => told.push(type) });
    expect(undone).toMatchObject({ kind: 'ended', outcome: 'succeeded', exitCode: 0 });
    expect(await image()).toContain(':v2');
    expect(told).toContain('run.ended');
    expect((await backstay.history({ stack: name }))[0]).toMatchObject({ undoes: run });
    expect((await backstay.history({ stack: name }))[0]).toMatchObject({
      by: expect.stringMatching(/^robot@/) as string,
    });
  }, 120_000);

  it('lists, shows and compares what there is', async () => {
    await using backstay = await Backstay.open({ env: store.machine.env, projectDir: store.machine.projectDir });
    const { rows } = await backstay.list(store.name);
    expect(rows.flatMap(({ labels }) => labels)).toEqual(expect.arrayContaining(['good', 'bad']));
    expect((await backstay.show(store.name, 'good')).row.labels).toEqual(['good']);
    const { changes } = await backstay.diff(store.name, { from: 'bad', to: 'good' });
    expect(changes.map(({ ref }) => ref.name)).toEqual(['web']);
    expect(await backstay.capture(store.name, { checks: false })).toMatchObject({ kind: 'captured' });
  }, 60_000);
});
