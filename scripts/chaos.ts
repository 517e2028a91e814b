/**
 * Kills real runs with SIGKILL at every failpoint, once and twice, goes on with them from other processes, and counts what
 * happened from outside: by the API server's audit log and the logs of those whom the hooks reach.
 *
 *   npm run chaos -- [--only TEXT]… [--sample] [--database] [--json FILE]
 *
 * With `--database` the journal is in Postgres, the run takes a database back, and Postgres' own log is counted as well.
 *
 * Exit code 1 when anything was lost, doubled or left behind. docs/architecture/crash-safety.md explains it.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { sandboxDown, sandboxUp } from '../src/sandbox/sandbox.ts';
import { ensureTools, progressPrinter } from '../src/toolchain/index.ts';
import { chaos } from './chaos/harness.ts';
import { type Point, sampleOf } from './chaos/points.ts';
import { endAll } from './chaos/processes.ts';
import { LOGGING } from './chaos/database.ts';
import { caseLine, HEAD, summary } from './chaos/table.ts';
import { parsed } from './parsed.ts';
import { startTestPostgres } from '../test/support/postgres-server.ts';

const USAGE = 'npm run chaos -- [--only TEXT]… [--sample] [--database] [--json FILE]';

const options = parsed(USAGE, () =>
  parseArgs({
    options: {
      only: { type: 'string', multiple: true },
      sample: { type: 'boolean', default: false },
      database: { type: 'boolean', default: false },
      json: { type: 'string' },
      help: { type: 'boolean', default: false, short: 'h' },
    },
  }),
).values;
if (options.help) {
  console.log(USAGE);
  process.exit(0);
}

const began = performance.now();
const say = (line: string): void =>
  console.error(`[${((performance.now() - began) / 1000).toFixed(0).padStart(4)} s] ${line}`);
const choose = (points: readonly Point[]): readonly Point[] => {
  const some = options.sample ? sampleOf(points) : points;
  return some.filter(({ at }) => options.only?.some((text) => at.includes(text)) ?? true);
};

const progress = progressPrinter(process.stderr);
const tools = await ensureTools(['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'pulumi'], {
  onProgress: progress,
});
progress.done();
const dir = await mkdtemp(join(tmpdir(), 'backstay-chaos-sandbox-'));
const sandbox = join(dir, 'sandbox');
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    endAll();
    // The sandbox is attached: it goes down with this process.
    process.exit(130);
  });
}
try {
  say('starting a sandbox');
  const { info } = await sandboxUp({
    dir: sandbox,
    attached: true,
    fakeNodes: 0,
    imageModules: [fileURLToPath(new URL('../src/sandbox/images/registry.ts', import.meta.url))],
    tools: {
      etcd: tools.etcd.path,
      'kube-apiserver': tools['kube-apiserver'].path,
      'kube-controller-manager': tools['kube-controller-manager'].path,
      'kube-scheduler': tools['kube-scheduler'].path,
    },
  });
  const server = options.database ? await startTestPostgres(LOGGING) : undefined;
  let headed = false;
  const results = await chaos({
    kubeconfig: info.kubeconfig,
    auditLog: join(info.dir, 'logs', 'audit.jsonl'),
    parallel: 2,
    ...(server === undefined ? {} : { server }),
    say,
    choose,
    onResult: (result) => {
      if (!headed) console.log(HEAD);
      headed = true;
      console.log(caseLine(result));
    },
  });
  await server?.stop();
  console.log(`\n${summary(results)}`);
  if (options.json !== undefined)
    await writeFile(
      options.json,
      `${JSON.stringify({ apiVersion: 'backstay.dev/v1', kind: 'ChaosReport', results }, null, 2)}\n`,
    );
  const flawed = results.some(({ flaws }) => flaws.length > 0);
  process.exitCode = flawed || results.length === 0 ? 1 : 0;
} finally {
  endAll();
  await sandboxDown(sandbox);
  await rm(dir, { recursive: true, force: true });
}
