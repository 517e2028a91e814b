import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';

const root = join(import.meta.dirname, '..', '..');

async function temporaryFolder(): Promise<string> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'backstay-bootstrap-')));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A project of two packages that has what npm leaves behind, with this Node as its Node. */
async function project(): Promise<string> {
  const folder = await temporaryFolder();
  const lock = {
    packages: { '': {}, 'node_modules/node': { version: '24.21.0' }, 'node_modules/a': { version: '1.0.0' } },
  };
  await cp(join(root, 'scripts', 'bootstrap.mjs'), join(folder, 'scripts', 'bootstrap.mjs'));
  await cp(join(root, 'scripts', 'setup'), join(folder, 'scripts', 'setup'), { recursive: true });
  await writeFile(
    join(folder, 'scripts', 'hello.ts'),
    'console.log("hello", ...process.argv.slice(2)); process.exitCode = 7;\n',
  );
  await writeFile(join(folder, 'package-lock.json'), JSON.stringify(lock));
  await mkdir(join(folder, 'node_modules', '.bin'), { recursive: true });
  for (const [path, { version = '' }] of Object.entries<{ version?: string }>(lock.packages)) {
    await mkdir(join(folder, path), { recursive: true });
    await writeFile(join(folder, path, 'package.json'), JSON.stringify({ version }));
  }
  await writeFile(join(folder, 'node_modules', '.package-lock.json'), JSON.stringify(lock));
  await symlink(process.execPath, join(folder, 'node_modules', '.bin', 'node'));
  return folder;
}

/** Runs the door with a PATH that has Node and a shell, and no npm. */
async function bootstrap(folder: string, ...args: readonly string[]) {
  const bin = await temporaryFolder();
  await symlink(process.execPath, join(bin, 'node'));
  const env = { PATH: bin, HOME: bin };
  const done = spawnSync(process.execPath, [join(folder, 'scripts', 'bootstrap.mjs'), ...args], {
    env,
    encoding: 'utf8',
  });
  return { code: done.status, out: done.stdout, err: done.stderr };
}

describe('the door to the npm scripts', () => {
  it('becomes the task when everything is there, with its arguments and its exit code', async () => {
    expect(await bootstrap(await project(), 'hello', 'you', '--there')).toEqual({
      code: 7,
      out: 'hello you --there\n',
      err: '',
    });
  });

  it.each<[string, (folder: string) => Promise<unknown>, string]>([
    [
      'nothing is installed',
      (at) => rm(join(at, 'node_modules'), { recursive: true }),
      'node_modules is not there or not complete',
    ],
    [
      'npm was interrupted',
      (at) => rm(join(at, 'node_modules', '.package-lock.json')),
      'node_modules is not there or not complete',
    ],
    [
      'a package was removed by hand',
      (at) => rm(join(at, 'node_modules', 'a'), { recursive: true }),
      'node_modules/a is missing',
    ],
    ['the lock file moved on', (at) => changeLock(at, '1.1.0'), 'node_modules/a is 1.0.0 instead of 1.1.0'],
  ])('wants to install when %s, and names npm when there is none', async (_what, damage, reason) => {
    const folder = await project();
    await damage(folder);
    const { code, out, err } = await bootstrap(folder, 'hello');
    expect([code, out]).toEqual([1, '']);
    expect(err).toContain(reason);
    expect(err).toContain('backstay set-up: npm cannot be found. Install Node.js 20 or later with npm');
  });

  it('leaves optional packages of other machines alone', async () => {
    const folder = await project();
    const path = join(folder, 'package-lock.json');
    const lock = JSON.parse(await readFile(path, 'utf8'));
    lock.packages['node_modules/for-a-mac'] = { version: '1.0.0', optional: true };
    await writeFile(path, JSON.stringify(lock));
    expect(await bootstrap(folder, 'hello')).toMatchObject({ code: 7 });
  });

  it.each([
    [[], 'usage: '],
    [['nonsense'], 'there is no task nonsense'],
  ])('answers %j in one line', async (args, line) => {
    const { code, err } = await bootstrap(await project(), ...args);
    expect([code, err.trim().split('\n').length]).toEqual([1, 1]);
    expect(err).toContain(line);
  });
});

describe('the lock of the set-up', () => {
  it('is free at once when its holder is killed with kill -9', async () => {
    const module = join(root, 'scripts', 'setup', 'socket-lock.mjs');
    const key = await temporaryFolder();
    const take = (work: string): ChildProcess =>
      spawn(
        process.execPath,
        [
          '--input-type=module',
          '-e',
          `import { withSocketLock } from ${JSON.stringify(module)};
           await withSocketLock(${JSON.stringify(key)}, { onWait: () => console.log('waits'), work: async () => { console.log('works'); ${work} } });`,
        ],
        { stdio: ['ignore', 'pipe', 'inherit'] },
      );
    const first = take('setInterval(() => {}, 1000); await new Promise(() => {});');
    onTestFinished(() => void first.kill('SIGKILL'));
    expect(String((await once(first.stdout!, 'data'))[0])).toBe('works\n');
    const second = take('');
    let said = '';
    second.stdout!.on('data', (chunk) => (said += String(chunk)));
    await once(second.stdout!, 'data');
    expect(said).toBe('waits\n');
    first.kill('SIGKILL');
    expect((await once(second, 'close'))[0]).toBe(0);
    // A dying holder may be reached once more, so it may say twice that it waits; it works once.
    expect(said).toMatch(/^(waits\n)+works\n$/);
  });
});

describe('bin/backstay', () => {
  it('works from another folder, through a symlink to a symlink', async () => {
    const folder = await temporaryFolder();
    await symlink(join(root, 'bin', 'backstay'), join(folder, 'one'));
    await symlink('one', join(folder, 'backstay'));
    const env = { ...process.env, XDG_CACHE_HOME: folder };
    const help = execFileSync(join(folder, 'backstay'), ['--help'], { cwd: folder, encoding: 'utf8', env });
    expect(help).toMatch(/^Usage: backstay/);
  });

  it('works where the cache cannot be written', () => {
    const env = { ...process.env, XDG_CACHE_HOME: '/dev/null/cache' };
    expect(execFileSync(join(root, 'bin', 'backstay'), ['--help'], { encoding: 'utf8', env })).toMatch(
      /^Usage: backstay/,
    );
  });
});

async function changeLock(folder: string, version: string): Promise<void> {
  const path = join(folder, 'package-lock.json');
  const lock = JSON.parse(await readFile(path, 'utf8'));
  lock.packages['node_modules/a'].version = version;
  await writeFile(path, JSON.stringify(lock));
}
