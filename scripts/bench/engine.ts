import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureTools, progressPrinter } from '../../src/toolchain/index.ts';
import type { Bench } from './bench.ts';
import { median, sampled } from './figure.ts';
import type { Home } from './home.ts';
import { configuration, namespaceOf } from './objects.ts';
import { run, type Timed } from './process-times.ts';

const ROUNDS = 3;
const STACK = 'bench-engine';

interface EngineUp {
  readonly process: Timed;
  readonly timings: { readonly updateMs: number; readonly totalMs: number; readonly waitingMs: number };
  /** CLI processes that it started. */
  readonly calls: readonly { readonly args: string; readonly ms: number }[];
}

const CHILD = fileURLToPath(new URL('./engine-up.ts', import.meta.url));

/** An `up` of a snapshot that is in place already, in a process of its own. */
export async function engineUp(home: Home, stack: string, label: string): Promise<EngineUp> {
  const process_ = await run(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', CHILD, stack, label],
    home.env,
  );
  return { process: process_, ...(JSON.parse(process_.stdout) as Omit<EngineUp, 'process'>) };
}

/** What the engine costs whatever it does, and what of the Automation API's habits is left out. */
export const engine: Bench = {
  name: 'engine',
  what: "the engine's fixed cost",
  async measure({ home, say }) {
    await home.sandbox();
    const progress = progressPrinter(process.stderr);
    const { pulumi } = await ensureTools(['pulumi'], { env: home.env, onProgress: progress });
    progress.done();
    await home.stack(STACK);
    const objects = [namespaceOf(STACK), ...configuration(STACK, 10, 'v1')];
    await home.cli(['import-manifests', STACK, home.manifests(STACK, objects), '--as', 'v1']);
    say('one up that has something to do');
    await home.cli(['apply', STACK, '--to', 'v1', '--yes']);
    const asApi = pulumiAsApi(home, pulumi.path);
    const asked: Readonly<Record<string, readonly string[]>> = {
      version: ['version'],
      select: ['stack', 'select', '--stack', STACK],
      output: ['stack', 'output', '--json', '--stack', STACK],
      'output-secrets': ['stack', 'output', '--json', '--show-secrets', '--stack', STACK],
      history: ['stack', 'history', '--json', '--show-secrets', '--page-size', '1', '--page', '1', '--stack', STACK],
    };
    const times = new Map<string, number[]>();
    const add = (name: string, ms: number): void => void times.set(name, [...(times.get(name) ?? []), ms]);
    let calls = 0;
    for (let round = 0; round < ROUNDS; round++) {
      say(`round ${round + 1} of ${ROUNDS}`);
      for (const [name, args] of Object.entries(asked)) add(name, await asApi(args));
      const up = await engineUp(home, STACK, 'v1');
      calls = up.calls.length;
      const cli = up.calls.reduce((sum, call) => sum + call.ms, 0);
      add('process', up.process.ms);
      add('to-summary', up.timings.updateMs);
      add('before', up.timings.totalMs - cli);
      add('after-summary', Math.max(0, cli - up.timings.updateMs));
      add('up', up.timings.totalMs);
    }
    const figure = (name: string, what: string) =>
      sampled({ name: `engine.${name}`, what, unit: 'ms' }, times.get(name) ?? []);
    // The Automation API's up: select, update, output twice, history.
    const left = ['select', 'output', 'output-secrets', 'history'];
    const spared = left.reduce((sum, name) => sum + median(times.get(name) ?? []), 0);
    return {
      figures: [
        figure('process', 'a whole process whose up has nothing to do (11 objects)'),
        figure('up', 'its up'),
        figure('before', 'of it, before the CLI starts: the SDK, the provider, the workspace'),
        figure('to-summary', "of it, to the engine's summary"),
        figure('after-summary', 'of it, after the summary'),
        { name: 'engine.calls', what: 'CLI processes of one up (beside `version`)', unit: 'calls', value: calls },
        figure('version', 'pulumi version: the start of a CLI process'),
        figure('select', 'pulumi stack select: left out'),
        figure('output', 'pulumi stack output: left out'),
        figure('output-secrets', 'the same with secrets: left out'),
        figure('history', 'pulumi stack history: left out'),
        { name: 'engine.spared', what: 'what leaving them out spares each up', unit: 'ms', value: Math.round(spared) },
      ],
    };
  },
};

/** The CLI as the Automation API calls it, on the state that Backstay's engine has. */
function pulumiAsApi(home: Home, pulumi: string): (args: readonly string[]) => Promise<number> {
  const folder = join(home.dir, 'pulumi');
  const state = join(home.dir, 'state', 'pulumi');
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, 'Pulumi.yaml'),
    JSON.stringify({ name: 'backstay', runtime: 'nodejs', backend: { url: `file://${state}` } }),
  );
  writeFileSync(join(folder, `Pulumi.${STACK}.yaml`), '{}\n');
  const env = {
    ...home.env,
    PULUMI_HOME: join(state, 'pulumi-home'),
    PULUMI_CONFIG_PASSPHRASE: readFileSync(join(home.dir, 'config', 'keys', STACK, 'passphrase'), 'utf8').trim(),
    PULUMI_SKIP_UPDATE_CHECK: 'true',
  };
  return async (args) => (await run(pulumi, [...args, '--cwd', folder, '--non-interactive'], env)).ms;
}
