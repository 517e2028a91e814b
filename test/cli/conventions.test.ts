import { mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { COMMANDS } from '../../src/cli/commands.ts';
import { KEY_FILES } from '../../src/model/index.ts';
import { type Machine, machine } from '../support/backstay.ts';

/** The published program, as a person and as a script meet it; no cluster is needed for any of this. */
describe('the command line', () => {
  let here: Machine;
  const ESCAPE = '\u001b[';

  beforeAll(async () => {
    here = await machine();
    await here.stack('shop', 'config:\n  backstay:namespaces: [shop]\n');
    await here.stack('fresh', 'config:\n  backstay:namespaces: [shop]\n');
    await here.stack('broken', 'config:\n  backstay:namespaces: [shop]\n  backstay:readyTimeout: soon\n');
  });
  afterAll(async () => await here.remove());

  it('lists every command and every exit code in its help, on stdout', async () => {
    const { code, stdout, stderr } = await here.run(['--help']);
    expect(code).toBe(0);
    expect(stderr).toBe('');
    for (const { name } of COMMANDS) expect(stdout).toContain(name.split(' ')[0]);
    for (const exit of [
      '0 done',
      '1 failed',
      '2 differences',
      '3 ',
      '4 mixed',
      '5 ',
      '6 ',
      '7 refused',
      '8 ',
      '64 usage',
    ])
      expect(stdout).toContain(exit);
  });

  it('tells of a command what it takes, with examples', async () => {
    const { code, stdout } = await here.run(['rollback', '--help']);
    expect(code).toBe(0);
    for (const flag of ['--to', '--scope', '--dry-run', '--emergency', '--immediate', '--reason', '--skip-validation'])
      expect(stdout).toContain(flag);
    for (const flag of [
      '--target-version',
      '--validate-before',
      '--validate-after',
      '--create-backup',
      '--list-versions',
    ])
      expect(stdout).toContain(flag);
    expect(stdout).toContain('backstay rollback medical-kg --to known-good --dry-run');
  });

  it.each([
    ['an unknown command', ['rolback']],
    ['an unknown flag', ['list', 'shop', '--tow', 'x']],
    ['a missing argument', ['rollback']],
    ['an odd output format', ['stacks', '--output', 'xml']],
    ['two targets that disagree', ['rollback', 'shop', '--to', 'a', '--target-version', 'b', '--dry-run']],
    ['a scope that is no name', ['diff', 'shop', '--to', 'x', '--scope', 'Foo Bar']],
    ['a duration without sense', ['rollback', 'shop', '--to', 'x', '--timeout', 'soon']],
  ])('answers %s with exit 64, its advice on stderr and nothing on stdout', async (_what, args) => {
    const { code, stdout, stderr } = await here.run(args);
    expect(code).toBe(64);
    expect(stdout).toBe('');
    expect(stderr).not.toBe('');
    expect(stderr).not.toMatch(/^\s+at .*\.ts:\d+/m);
  });

  it('names the stack that is nearest to an unknown one', async () => {
    const refused = await here.refused(['list', 'shp']);
    expect(refused).toMatchObject({ exit: 64, code: 'STACK_UNKNOWN' });
    expect(refused.message + refused.next).toContain('shop');
  });

  it('names file, line, column and what was expected in a stack file that does not fit', async () => {
    const { code, stderr } = await here.run(['list', 'broken']);
    expect(code).toBe(64);
    expect(stderr).toContain('STACK_INVALID');
    expect(stderr).toMatch(/Pulumi\.broken\.yaml:3:\d+/);
    expect(stderr).toContain('a duration with its unit');
  });

  it('says every fault of a folder of manifests once, at its place', async () => {
    const folder = join(here.dir, 'manifests');
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'all.yaml'), 'apiVersion: v1\nkind: ConfigMap\n---\nnonsense\n');
    await here.ok(['keys', 'init', 'shop']);
    const { code, stderr } = await here.run(['import-manifests', 'shop', folder]);
    expect(code).toBe(64);
    expect(stderr).toContain('MANIFESTS_INVALID');
    expect(stderr).not.toContain('[object Object]');
    for (const place of ['all.yaml:1:1: ', 'all.yaml:4:1: ']) expect(stderr.split(place)).toHaveLength(2);
    const gone = await here.run(['import-manifests', 'shop', join(here.dir, 'gone')]);
    expect(gone.stderr.split(join(here.dir, 'gone'))).toHaveLength(2);
  });

  it('lists a stack file that cannot be used with its fault', async () => {
    const { items } = await here.json<{ items: { name: string; problem?: string }[] }>(['stacks']);
    expect(items.map(({ name }) => name)).toEqual(['broken', 'fresh', 'shop']);
    expect(items[0]?.problem).toContain('readyTimeout');
    expect(items[1]?.problem).toBeUndefined();
  });

  it('gives results as JSON with apiVersion and kind, and errors too', async () => {
    const stacks = await here.json<{ apiVersion: string; kind: string }>(['stacks']);
    expect(stacks).toMatchObject({ apiVersion: 'backstay.dev/v1', kind: 'StackList' });
    const { stdout, code } = await here.run(['list', 'nowhere', '--output', 'json']);
    expect(code).toBe(64);
    expect(JSON.parse(stdout)).toMatchObject({ apiVersion: 'backstay.dev/v1', kind: 'Error', code: 'STACK_UNKNOWN' });
    const lines = (await here.ok(['stacks', '--output', 'jsonl'])).stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ kind: 'StackList' });
  });

  it('says no word on stderr when asked to be quiet, and says it by its exit code', async () => {
    const { code, stdout, stderr } = await here.run(['--quiet', 'list', 'nowhere']);
    expect({ code, stdout, stderr }).toEqual({ code: 64, stdout: '', stderr: '' });
  });

  it('colours only where it is wanted', async () => {
    const plain = await here.run(['list', 'nowhere']);
    expect(plain.stderr).not.toContain(ESCAPE);
    const forced = await here.run(['list', 'nowhere'], { env: { FORCE_COLOR: '1' } });
    expect(forced.stderr).toContain(ESCAPE);
    const asked = await here.run(['--color', 'always', 'list', 'nowhere'], { env: { NO_COLOR: '1' } });
    expect(asked.stderr).toContain(ESCAPE);
    const both = await here.run(['--color', 'never', 'list', 'nowhere'], { env: { FORCE_COLOR: '1' } });
    expect(both.stderr).not.toContain(ESCAPE);
    const json = await here.run(['--color', 'always', 'stacks', '--output', 'json']);
    expect(json.stdout).not.toContain(ESCAPE);
  });

  it('asks for a yes before a rollback, and refuses where nobody can give it', async () => {
    const refused = await here.refused(['rollback', 'shop', '--to', 'known-good', '--reason', 'x']);
    expect(refused).toMatchObject({ exit: 64, code: 'CONFIRMATION_NEEDED' });
    expect(refused.next).toContain('--yes');
  });

  it('wants a reason for a rollback', async () => {
    const refused = await here.refused(['rollback', 'shop', '--to', 'known-good', '--yes']);
    expect(refused).toMatchObject({ exit: 64, code: 'USAGE' });
    expect(refused.message).toContain('--reason');
  });

  it('knows no run that was never there', async () => {
    for (const command of ['resume', 'report']) {
      const refused = await here.refused([
        command,
        '20260101-000000-abcdef',
        ...(command === 'resume' ? ['--yes'] : []),
      ]);
      expect(refused).toMatchObject({ exit: 64, code: 'RUN_UNKNOWN' });
    }
    const history = await here.json<{ items: unknown[] }>(['history']);
    expect(history.items).toEqual([]);
  });

  it('makes keys that nobody else can read, and leaves those that are there', async () => {
    const made = await here.json<{ kind: string; result: string; created: string[] }>(['keys', 'init', 'fresh']);
    expect(made).toMatchObject({ kind: 'StackKeys', result: 'made' });
    expect(made.created).toEqual(expect.arrayContaining(Object.values(KEY_FILES)));
    const folder = join(here.configDir, 'keys', 'fresh');
    for (const secret of [KEY_FILES.identity, KEY_FILES.comparisonKey, KEY_FILES.signingKey, KEY_FILES.passphrase])
      expect((await stat(join(folder, secret))).mode & 0o077).toBe(0);
    const again = await here.json<{ kind: string; result: string; created: string[] }>(['keys', 'init', 'fresh']);
    // The kind is the document's; what the data was called inside is its result.
    expect(again).toMatchObject({ kind: 'StackKeys', created: [] });
    expect(again.result).not.toBe('made');
  });

  it.each([
    ['cannot be parsed', 'clusters: [', 'KUBECONFIG_INVALID'],
    ['knows no such context', 'apiVersion: v1\nkind: Config\ncurrent-context: gone\n', 'KUBECONFIG_INVALID'],
  ])('refuses a kubeconfig that %s', async (_what, text, code) => {
    const file = join(here.dir, 'kubeconfig');
    await writeFile(file, text);
    const refused = await here.refused(['diff', 'shop', '--to', 'known-good', '--kubeconfig', file]);
    expect(refused).toMatchObject({ exit: 64, code });
    expect(refused.next).not.toBe('');
  });

  it('works from any folder', async () => {
    const { code, stdout } = await here.run(['stacks'], { cwd: '/' });
    expect(code).toBe(0);
    expect(stdout).toContain('shop');
  });
});
