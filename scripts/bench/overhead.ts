import { fileURLToPath } from 'node:url';
import type { Bench } from './bench.ts';
import { sampled } from './figure.ts';
import { configuration, fakeDeployments, namespaceOf } from './objects.ts';
import { run } from './process-times.ts';

const STACK = 'bench-overhead';
const ROUNDS = 5;
const CHILD = fileURLToPath(new URL('./overhead-run.ts', import.meta.url));

interface Took {
  readonly ms: number;
  readonly ownMs: number;
  readonly entries: number;
}

/** What it costs that a run cannot be lost: journal, lease and evidence, beside the same run without them. */
export const overhead: Bench = {
  name: 'overhead',
  what: 'the same run with and without journal, lease and evidence',
  async measure({ home, say }) {
    await home.sandbox();
    await home.stack(STACK);
    for (const version of ['v1', 'v2']) {
      const objects = [
        namespaceOf(STACK),
        ...configuration(STACK, 20, version),
        ...fakeDeployments(STACK, 3, `backstay/echo:${version}`),
      ];
      await home.cli(['import-manifests', STACK, home.manifests(`${STACK}-${version}`, objects), '--as', version]);
      await home.cli(['apply', STACK, '--to', version, '--yes']);
    }
    let at = 'v2';
    const go = async (mode: 'with' | 'bare'): Promise<Took> => {
      at = at === 'v1' ? 'v2' : 'v1';
      const child = ['--disable-warning=ExperimentalWarning', CHILD, STACK, at, mode];
      return JSON.parse((await run(process.execPath, child, home.env)).stdout) as Took;
    };
    const took: Record<'with' | 'bare', Took[]> = { with: [], bare: [] };
    for (let round = 0; round < ROUNDS; round++) {
      say(`round ${round + 1} of ${ROUNDS}`);
      const order = round % 2 === 0 ? (['with', 'bare'] as const) : (['bare', 'with'] as const);
      for (const mode of order) took[mode].push(await go(mode));
    }
    const own = (mode: 'with' | 'bare', what: string) =>
      sampled(
        { name: `overhead.${mode}`, what, unit: 'ms' },
        took[mode].map(({ ownMs }) => ownMs),
      );
    const whole = own('with', "a run's own time (20 configurations, 3 deployments), without the engine's up");
    const bare = own('bare', 'the same without journal, lease and evidence');
    return {
      figures: [
        whole,
        bare,
        {
          name: 'overhead.added',
          what: 'what journal, lease and evidence add to a run',
          unit: 'ms',
          value: Math.max(0, whole.value - bare.value),
          atMost: 500,
        },
      ],
    };
  },
};
