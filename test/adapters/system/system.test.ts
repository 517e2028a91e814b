import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import {
  createExec,
  createHttpClient,
  createPrivateFiles,
  createSystemClock,
  whoAmI,
} from '../../../src/adapters/system/index.ts';
import { Tail } from '../../../src/adapters/system/tail.ts';
import { localServer } from '../../hooks/server.ts';

const folders: string[] = [];
async function folder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'backstay-system-'));
  folders.push(made);
  return made;
}
afterEach(async () => {
  await Promise.all(folders.splice(0).map(async (one) => await rm(one, { recursive: true })));
});

describe('the HTTP client', () => {
  const http = createHttpClient({ userAgent: 'backstay/test' });
  afterAll(async () => await http.close());

  test('keeps its connections for later requests', async () => {
    await using server = await localServer(() => ({ status: 200, body: 'x' }));
    for (let i = 0; i < 10; i++) await http.request({ method: 'GET', url: server.url, timeoutMs: 2_000 });
    expect(server.received.every(({ headers }) => headers['user-agent'] === 'backstay/test')).toBe(true);
    // A second one is made when a request comes while the first answer is still being put away.
    expect(server.connections()).toBeLessThanOrEqual(2);
  });

  test('connects elsewhere when told to, keeping the Host of the URL', async () => {
    await using server = await localServer(() => ({ status: 200 }));
    await http.request({
      method: 'GET',
      url: 'http://kg.example/a?b=c',
      connectTo: { host: '127.0.0.1', port: server.port },
      timeoutMs: 2_000,
    });
    expect(server.received).toMatchObject([{ url: '/a?b=c', headers: { host: 'kg.example' } }]);
  });

  test('gives a redirect as it is', async () => {
    await using server = await localServer(() => ({ status: 302, headers: { location: '/b' } }));
    const answer = await http.request({ method: 'GET', url: server.url, timeoutMs: 2_000 });
    expect(answer).toMatchObject({ status: 302, headers: { location: '/b' } });
    expect(server.received).toHaveLength(1);
  });

  test('gives up when the time is over, and does not name the query', async () => {
    await using server = await localServer(() => 'never');
    const failure = await http
      .request({ method: 'GET', url: `${server.url}/a?token=hush`, timeoutMs: 50 })
      .catch((e: unknown) => e);
    expect(failure).toMatchObject({ code: 'TIMEOUT' });
    expect((failure as Error).message).not.toContain('hush');
  });

  test('refuses an answer larger than it will hold', async () => {
    await using server = await localServer(() => ({ status: 200, body: 'x'.repeat(17 * 1024 * 1024) }));
    await expect(http.request({ method: 'GET', url: server.url, timeoutMs: 10_000 })).rejects.toMatchObject({
      code: 'ENDPOINT_UNREACHABLE',
    });
  });
});

describe('running a command', () => {
  const exec = createExec({ env: { PATH: process.env['PATH'], INHERITED: 'yes', MISSING: undefined }, graceMs: 200 });
  const node = (script: string): string[] => [process.execPath, '-e', script];

  test('gives its code, its output, and only the environment that was given', async () => {
    const script = "console.log(Object.keys(process.env).sort().join()); console.error('oh'); process.exit(4)";
    const result = await exec.run(node(script), { env: { OWN: '1' }, timeoutMs: 5_000 });
    expect(result).toEqual({ exitCode: 4, stdout: 'INHERITED,OWN,PATH\n', stderr: 'oh\n' });
  });

  test('keeps the end of a long output', async () => {
    const { stdout } = await exec.run(node("process.stdout.write('x'.repeat(300000) + 'THE END')"), {
      timeoutMs: 5_000,
    });
    expect(stdout.endsWith('THE END')).toBe(true);
    expect(stdout.length).toBeLessThan(70_000);
    expect(stdout).toMatch(/^\[\d+ bytes left out\]/);
  });

  test('ends it and its children when its time is over, also when they do not listen', async () => {
    const pidFile = join(await folder(), 'pid');
    const child = "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000)";
    const script = `const c = require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(child)}], {stdio: 'ignore'});
      require('node:fs').writeFileSync(${JSON.stringify(pidFile)}, String(c.pid)); setInterval(() => {}, 1000)`;
    await expect(exec.run(node(script), { timeoutMs: 800 })).rejects.toMatchObject({ code: 'TIMEOUT' });
    const pid = Number(await readFile(pidFile, 'utf8'));
    expect(pid).toBeGreaterThan(0);
    await expect.poll(async () => await isRunning(pid)).toBe(false);
  });

  test('breaks off with the reason of the signal', async () => {
    const stop = new AbortController();
    const run = exec.run(node('setInterval(() => {}, 1000)'), { timeoutMs: 5_000, signal: stop.signal });
    stop.abort(new Error('second Ctrl-C'));
    await expect(run).rejects.toThrow('second Ctrl-C');
  });

  test('says which program cannot be started', async () => {
    await expect(exec.run(['/nowhere/at-all'], { timeoutMs: 5_000 })).rejects.toMatchObject({
      code: 'HOOK_FAILED',
      message: expect.stringContaining('/nowhere/at-all cannot be started: ENOENT'),
    });
  });
});

/** A process that nobody has buried yet does not run any more. */
async function isRunning(pid: number): Promise<boolean> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    return !/^\d+ \(.*\) Z/.test(stat);
  } catch {
    return false;
  }
}

describe('the tail of an output', () => {
  test('is exact at its limit and drops whole and half chunks beyond it', () => {
    const tail = new Tail(4);
    tail.push(Buffer.from('ab'));
    tail.push(Buffer.from('cd'));
    expect(tail.text()).toBe('abcd');
    tail.push(Buffer.from('efg'));
    expect(tail.text()).toBe('[3 bytes left out]\ndefg');
    tail.push(Buffer.from('0123456789'));
    expect(tail.text()).toBe('[13 bytes left out]\n6789');
  });
});

describe('private files', () => {
  test('are whole, for their owner only, and leave nothing beside them', async () => {
    const base = await folder();
    const path = join(base, 'runs', 'r1', 'report.md');
    const files = createPrivateFiles();
    await files.write(path, 'first');
    await files.write(path, 'second');
    expect(await readFile(path, 'utf8')).toBe('second');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readdir(join(base, 'runs', 'r1'))).toEqual(['report.md']);
  });

  test('are read byte for byte, and one that is not there is so', async () => {
    const path = join(await folder(), 'bytes');
    const files = createPrivateFiles();
    await expect(files.read(path)).resolves.toBeUndefined();
    const bytes = Uint8Array.from([0, 255, 10, 128]);
    await files.write(path, bytes);
    expect(Uint8Array.from((await files.read(path)) ?? [])).toEqual(bytes);
  });
});

describe('the clock and the user', () => {
  test('a delay ends with the reason of its signal', async () => {
    const stop = new AbortController();
    const waiting = createSystemClock().delay(60_000, stop.signal);
    stop.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
  });

  test('durations never run backwards, and now is now', async () => {
    const clock = createSystemClock();
    const before = clock.monotonic();
    await clock.delay(1);
    expect(clock.monotonic()).toBeGreaterThan(before);
    expect(Math.abs(clock.now() - Date.now())).toBeLessThan(5_000);
  });

  test('whoever runs this has a name and a host', () => {
    expect(whoAmI()).toEqual({ user: expect.stringMatching(/./), host: hostname() });
  });
});
