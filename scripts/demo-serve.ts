import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { attendRun, createClient, type PlanAsked } from '../src/client/index.ts';
import { ensurePage } from './page.ts';

/** A service of the demo: the page, and the API below it. */
export interface DemoService {
  readonly url: string;
  /** Makes the plan and starts it; the run's id. */
  rollback(stack: string, asked: PlanAsked & { readonly target: string }): Promise<string>;
  /** Waits until the run is over; its outcome. */
  ended(run: string): Promise<string>;
  stop(): Promise<void>;
}

/** Builds the page, then serves it on loopback to whoever has this machine. */
export async function startService(bin: string, env: NodeJS.ProcessEnv, cwd: string): Promise<DemoService> {
  await ensurePage();
  const child = spawn(bin, ['serve', '--listen', '127.0.0.1:0', '--quiet'], {
    cwd,
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const url = await urlOf(child);
  const client = createClient({ server: url });
  return {
    url,
    rollback: async (stack, asked) => {
      const planned = await client.plan(stack, asked);
      if (planned.kind !== 'planned') throw new TypeError(`${stack} is at ${asked.target} already`);
      const started = await client.start({ plan: planned.plan.hash });
      if (!('run' in started)) throw new TypeError(`there was nothing left to do for ${stack}`);
      return started.run;
    },
    ended: async (run) => {
      const { outcome } = (await attendRun(client, { run, onEvent: () => undefined })) ?? {};
      if (outcome === undefined) throw new TypeError(`nobody goes on with the run ${run}`);
      return outcome;
    },
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const closed = new Promise((resolve) => child.once('close', resolve));
      child.kill('SIGTERM');
      await closed;
    },
  };
}

/** As the service prints it once it listens. */
async function urlOf(child: ChildProcess): Promise<string> {
  const ended = new Promise<never>((_, reject) => {
    child.once('error', reject);
    child.once('close', (code) => reject(new TypeError(`the service ended with ${code} before it served`)));
  });
  // Heard of above; afterwards its end is nobody's fault.
  ended.catch(() => undefined);
  if (child.stdout === null) throw new TypeError('the service has no output');
  const lines = createInterface({ input: child.stdout });
  const said = (async () => {
    for await (const line of lines) {
      const [, url] = /serves at (\S+?)\/?$/.exec(line) ?? [];
      if (url !== undefined) return url;
    }
    return await ended;
  })();
  return await Promise.race([said, ended]);
}

/** Until Ctrl-C. */
export async function untilInterrupted(): Promise<void> {
  const alive = setInterval(() => undefined, 60_000);
  await new Promise<void>((resolve) => process.once('SIGINT', () => resolve()));
  clearInterval(alive);
}
