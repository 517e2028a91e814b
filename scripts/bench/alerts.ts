import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { ensureTools } from '../../src/toolchain/index.ts';
import type { Bench, BenchContext } from './bench.ts';
import { sampled } from './figure.ts';
import type { Home } from './home.ts';
import { namespaceOf } from './objects.ts';
import { highest, serve } from './service.ts';

const STACK = 'bench-alerts';
const ROUNDS = 3;
const STORM = 1_000;
/** Milliseconds between two alerts of the storm. */
const PACE_MS = 10;
/** Milliseconds after which a rollback that did not come is a fault, and no figure. */
const LIMIT_MS = 60_000;

/** An alert that begins a rollback by itself, and a storm of it. */
export const alerts: Bench = {
  name: 'alerts',
  what: `an alert that begins a rollback, and ${STORM} of it`,
  async measure(context) {
    const { home, say } = context;
    await home.sandbox();
    const { kubectl } = await ensureTools(['kubectl'], { env: home.env });
    await setUp(context);
    const server = await serve(home);
    try {
      const changes: number[] = [];
      for (let round = 1; round <= ROUNDS; round += 1) {
        say(`an alert, round ${round} of ${ROUNDS}`);
        await release(home);
        const { began } = await told(kubectl.path, home, async () => [await post(server.url, `round ${round}`)]);
        changes.push(began);
      }
      say(`${STORM} alerts in ${(STORM * PACE_MS) / 1_000} s`);
      await release(home);
      const before = await runsOf(home);
      const { answers } = await told(kubectl.path, home, async () => await storm(server.url));
      return {
        figures: [
          {
            ...sampled({ name: 'alerts.change', what: 'from an alert to the first change', unit: 'ms' }, changes),
            atMost: 2_000,
          },
          { ...highest('alerts.answer', `an answer of ${STORM} identical alerts, 99 of 100`, answers), atMost: 50 },
          {
            name: 'alerts.runs',
            what: 'runs that these begin',
            unit: 'times',
            value: (await runsOf(home)) - before,
            atMost: 1,
          },
        ],
      };
    } finally {
      await server.stop();
    }
  },
};

async function setUp({ home, say }: BenchContext): Promise<void> {
  say('a stack in two versions');
  await home.stack(STACK, { triggers: { mode: 'automatic', target: 'good', settle: '0s', quiet: '1ms' } });
  for (const version of ['good', 'bad']) {
    const config = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'shop', namespace: STACK },
      data: { version },
    };
    await home.cli([
      'import-manifests',
      STACK,
      home.manifests(`${STACK}-${version}`, [namespaceOf(STACK), config]),
      '--as',
      version,
    ]);
  }
  await home.cli(['apply', STACK, '--to', 'good', '--yes']);
}

/** A release, after which an alert is one of its own. */
async function release(home: Home): Promise<void> {
  await home.cli(['apply', STACK, '--to', 'bad', '--allow-held', '--yes']);
}

async function runsOf(home: Home): Promise<number> {
  return (await home.json<{ items: readonly unknown[] }>(['history', STACK])).items.length;
}

/** What was answered, and the milliseconds from its beginning to the first change of the stack; when the run is over. */
async function told(
  kubectl: string,
  home: Home,
  tell: () => Promise<readonly number[]>,
): Promise<{ readonly answers: readonly number[]; readonly began: number }> {
  const format = '{.data.version}{"\\n"}';
  const args = ['-n', STACK, 'get', 'configmap', 'shop', '--watch', '-o', `jsonpath=${format}`];
  const watch = spawn(kubectl, args, { env: home.env, stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const lines = createInterface({ input: watch.stdout });
    const seen = Promise.withResolvers<number>();
    const ready = Promise.withResolvers<void>();
    lines.on('line', (line) => (line === 'good' ? seen.resolve(performance.now()) : ready.resolve()));
    const limit = setTimeout(() => seen.reject(new TypeError('no rollback came of an alert')), LIMIT_MS);
    await ready.promise;
    const start = performance.now();
    const [answers, changed] = await Promise.all([tell(), seen.promise]);
    clearTimeout(limit);
    const { items } = await home.json<{ items: readonly { readonly run: string }[] }>(['history', STACK]);
    await home.cli(['watch', items[0]?.run ?? '']);
    return { answers, began: changed - start };
  } finally {
    await end(watch);
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'exit');
}

/** However slow the answers are, the next alert comes when it is due. */
async function storm(url: string): Promise<readonly number[]> {
  const sent: Promise<number>[] = [];
  for (let n = 0; n < STORM; n += 1) {
    sent.push(post(url, 'storm'));
    await new Promise((resolve) => setTimeout(resolve, PACE_MS));
  }
  return await Promise.all(sent);
}

const began = new Map<string, string>();

/** Milliseconds until it was answered. */
async function post(url: string, fingerprint: string): Promise<number> {
  const startsAt = began.get(fingerprint) ?? new Date().toISOString();
  began.set(fingerprint, startsAt);
  const labels = { alertname: 'BenchAlert', stack: STACK, rollback_trigger: 'true' };
  const body = JSON.stringify({
    version: '4',
    groupKey: 'bench',
    alerts: [{ status: 'firing', labels, startsAt, fingerprint }],
  });
  const start = performance.now();
  const answer = await fetch(`${url}/v1/triggers/alertmanager`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });
  const text = await answer.text();
  if (answer.status !== 200) throw new TypeError(`the service answers ${answer.status}: ${text}`);
  return performance.now() - start;
}
