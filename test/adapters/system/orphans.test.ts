import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createSystemClock, withoutOrphans } from '../../../src/adapters/system/index.ts';
import type { HeldLock, Lock, LockHolder } from '../../../src/ports/index.ts';

const ORPHANS = new URL('../../../src/adapters/system/orphans.ts', import.meta.url).href;
const EXEC = new URL('../../../src/adapters/system/exec.ts', import.meta.url).href;
const HOLDER: LockHolder = { run: 'r1', journal: 'j', user: 'tester', host: 'here' };

const started: number[] = [];
afterEach(() => {
  for (const pid of started.splice(0)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It was ended, as it should be.
    }
  }
});

/** A process that starts programs as Backstay does, says their numbers, and waits to be killed. */
async function parentOf(body: string): Promise<{ readonly parent: ChildProcess; readonly pids: readonly number[] }> {
  const program = `
    import { spawn } from 'node:child_process';
    import { childMark } from ${JSON.stringify(ORPHANS)};
    import { createExec } from ${JSON.stringify(EXEC)};
    const say = (...pids) => console.log(JSON.stringify(pids));
    ${body}
    setInterval(() => {}, 1000);`;
  const parent = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(parent.stdout, 'data')) as [Buffer];
  const pids = JSON.parse(line.toString()) as number[];
  // 0 would mean our own process group.
  started.push(...[...pids, parent.pid ?? 0].filter((pid) => pid > 1));
  return { parent, pids };
}

async function killed(parent: ChildProcess): Promise<void> {
  const over = once(parent, 'exit');
  parent.kill('SIGKILL');
  await over;
}

/** One that is dead and waits for the machine's first process to take note of it does nothing any more. */
const isThere = (pid: number): boolean => {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
};

function lockOf(): { readonly lock: Lock; readonly released: ReturnType<typeof vi.fn> } {
  const released = vi.fn(async () => {});
  const held = { token: 1, release: released } as unknown as HeldLock;
  const inner: Lock = { acquire: async () => held, look: async () => ({}) };
  return { lock: withoutOrphans(inner, createSystemClock()), released };
}

const engine = (stack: string, script: string): string => `
  const env = { ...process.env, ...(await childMark('engine', '${stack}')) };
  const child = spawn('sh', ['-c', ${JSON.stringify(script)}], { env, stdio: ['ignore', 'pipe', 'ignore'] });
  child.stdout.on('data', (chunk) => say(child.pid, Number(chunk)));`;

const someStack = (): string => `orphans-${randomBytes(4).toString('hex')}`;

describe.skipIf(process.platform !== 'linux')('what a killed run left running', () => {
  it('is gone, with all that it had started, once the stack has been taken again', async () => {
    const stack = someStack();
    const { parent, pids } = await parentOf(engine(stack, 'sleep 300 & echo $!; wait'));
    await killed(parent);
    expect(pids.map(isThere)).toEqual([true, true]);
    await lockOf().lock.acquire(stack, HOLDER);
    expect(pids.map(isThere)).toEqual([false, false]);
  });

  it('is ended also when it does not want to', async () => {
    const stack = someStack();
    const { parent, pids } = await parentOf(engine(stack, 'trap "" TERM; echo 0; while :; do sleep 1; done'));
    await killed(parent);
    await lockOf().lock.acquire(stack, HOLDER);
    expect(isThere(pids[0] ?? 0)).toBe(false);
  });

  it('is left alone while its parent lives, and when it belongs to another stack', async () => {
    const [ours, other] = [someStack(), someStack()];
    const alive = await parentOf(engine(ours, 'echo 0; exec sleep 300'));
    const elsewhere = await parentOf(engine(other, 'echo 0; exec sleep 300'));
    await killed(elsewhere.parent);
    await lockOf().lock.acquire(ours, HOLDER);
    expect([alive.pids[0] ?? 0, elsewhere.pids[0] ?? 0].map(isThere)).toEqual([true, true]);
  });

  it('of a hook is its command, and not what an earlier command left running on purpose', async () => {
    const stack = someStack();
    const { parent, pids } = await parentOf(`
      const exec = createExec({ env: process.env, mark: async () => await childMark('command', '${stack}') });
      const run = async (script) => await exec.run(['sh', '-c', script], { timeoutMs: 60_000 });
      const { stdout: daemon } = await run('sleep 1.2; setsid sleep 300 > /dev/null 2>&1 & sleep 1.5; pgrep -n -f "^sleep 300$"');
      void run('echo $$ > /tmp/${stack}; exec sleep 301');
      const { readFile } = await import('node:fs/promises');
      let own = '';
      while (own === '') own = (await readFile('/tmp/${stack}', 'utf8').catch(() => '')).trim();
      await (await import('node:fs/promises')).rm('/tmp/${stack}');
      say(Number(daemon), Number(own));`);
    await killed(parent);
    expect(pids.map(isThere)).toEqual([true, true]);
    await lockOf().lock.acquire(stack, HOLDER);
    expect(pids.map(isThere)).toEqual([true, false]);
  });
});
