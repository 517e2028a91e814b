import { join } from 'node:path';
import { startReceivers } from '../demo-receivers.ts';
import { upload } from '../demo-users.ts';
import type { Bench, BenchContext } from './bench.ts';
import { sampled } from './figure.ts';
import { type Home, ROOT } from './home.ts';
import { metered, usageIn } from './process-times.ts';
import { type RunTimes, runTimes } from './run-times.ts';

const STACK = 'medical-kg';
const ROUNDS = 3;
/** The alert needs some scrapes of a failing Docling; beyond it something is wrong. */
const ALERT_LIMIT_MS = 90_000;

/** The reference failover on pods that really run, as its runbook has it: alert, precondition, run, checks, telling. */
export const failover: Bench = {
  name: 'failover',
  what: 'failover of Medical_KG from Docling to MinerU',
  async measure(context) {
    const { home, say } = context;
    const { ingress } = await home.sandbox();
    const receivers = await startReceivers();
    const env: NodeJS.ProcessEnv = {
      ...home.env,
      BACKSTAY_PROJECT_DIR: ROOT,
      SLACK_WEBHOOK_URL: receivers.slackUrl,
      GITHUB_API_URL: receivers.issueApi,
      GITHUB_TOKEN: 'bench-token-for-loopback-only',
    };
    try {
      await setUp(home, env, say);
      const runs: RunTimes[] = [];
      const cpu: number[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        say(`round ${round + 1} of ${ROUNDS}: Docling goes live and fails`);
        // A release is not validated while its parser is still told to fail.
        await home.cli(['sandbox', 'fault', 'production/docling-vlm', 'off'], env);
        await home.cli(['apply', STACK, '--to', 'v1.3.0', '--allow-held', '--yes', '--reason', 'bench: release'], env);
        // What still fires of the round before would let the failover begin, and go out before it is asked again.
        await untilRunbook('does not apply', home, env, ingress);
        await home.cli(['sandbox', 'fault', 'production/docling-vlm', 'delay=3', 'errors=60'], env);
        await untilRunbook('applies', home, env, ingress);
        say(`round ${round + 1} of ${ROUNDS}: failover`);
        const args = [
          'rollback',
          STACK,
          '--to',
          'v1.2.2',
          '--scope',
          'application',
          '--yes',
          '--reason',
          'bench: Docling fails',
        ];
        const used = join(home.dir, 'used');
        runs.push(await runTimes(await home.cli([...args, '--output', 'json'], metered(env, used)), home));
        cpu.push(usageIn(used).cpuMs);
      }
      return findingsOf(runs, cpu);
    } finally {
      receivers.close();
    }
  },
};

async function setUp(home: Home, env: NodeJS.ProcessEnv, say: BenchContext['say']): Promise<void> {
  say('making the stack as it was good');
  const reason = ['--yes', '--reason', 'bench: set-up'];
  const manifests = (name: string): string => join(ROOT, 'examples', 'medical-kg', name);
  for (const stack of ['medical-kg-monitoring', STACK]) await home.cli(['keys', 'init', stack], env);
  await home.cli(['import-manifests', 'medical-kg-monitoring', manifests('monitoring'), '--as', 'monitoring'], env);
  await home.cli(['apply', 'medical-kg-monitoring', '--to', 'monitoring', ...reason], env);
  await home.cli(['import-manifests', STACK, manifests('mineru'), '--as', 'archive'], env);
  await home.cli(['import-manifests', STACK, manifests('docling'), '--as', 'v1.3.0'], env);
  await home.cli(['apply', STACK, '--to', 'archive', '--scope', 'database', ...reason], env);
  await home.cli(['apply', STACK, '--to', 'archive', ...reason], env);
  await home.cli(['capture', STACK, '--as', 'v1.2.2'], env);
}

/** Users keep sending documents; from what becomes of them the alert is computed. */
async function untilRunbook(
  wanted: 'applies' | 'does not apply',
  home: Home,
  env: NodeJS.ProcessEnv,
  ingress: string,
): Promise<void> {
  const limit = Date.now() + ALERT_LIMIT_MS;
  while (Date.now() < limit) {
    if ((await home.succeeds(['check', STACK, '--runbook'], env)) === (wanted === 'applies')) return;
    await Promise.all([upload(ingress), upload(ingress)]);
  }
  throw new TypeError(`after ${ALERT_LIMIT_MS / 1000} s it is still not so that the runbook ${wanted}`);
}

function findingsOf(runs: readonly RunTimes[], cpu: readonly number[]): Awaited<ReturnType<Bench['measure']>> {
  const figure = (name: string, what: string, of: (run: RunTimes) => number) =>
    sampled({ name: `failover.${name}`, what, unit: 'ms' }, runs.map(of));
  const middle = runs.toSorted((a, b) => a.ownMs - b.ownMs)[runs.length >> 1];
  return {
    figures: [
      figure('total', 'failover of Medical_KG: the whole process', ({ totalMs }) => totalMs),
      {
        ...figure('own', "Backstay's own: without the engine's up and the checks' measuring", ({ ownMs }) => ownMs),
        atMost: 1500,
      },
      figure('engine', "the engine's up", ({ engineMs }) => engineMs),
      figure('waiting', 'of it, waiting for pods', ({ waitingMs }) => waitingMs),
      figure(
        'checks',
        "measuring the checks: pods to go, the stack's answers, a fixed rate",
        ({ checksMs }) => checksMs,
      ),
      sampled({ name: 'failover.cpu', what: "processor time of Backstay's process", unit: 'ms' }, cpu),
    ],
    breakdowns: [
      { title: 'Failover, the run in the middle, from the start of the process to its end', rows: middle?.rows ?? [] },
    ],
  };
}
