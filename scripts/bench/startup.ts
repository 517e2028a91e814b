import type { Findings } from './figure.ts';
import { sampled } from './figure.ts';
import type { Bench } from './bench.ts';
import { run } from './process-times.ts';

const ROUNDS = 10;

/** How long a person waits before anything is said at all, beside an empty Node. */
export const startup: Bench = {
  name: 'startup',
  what: 'starting the command line',
  async measure({ home, say }): Promise<Findings> {
    // The first start fills Node's cache of compiled code.
    await home.cli(['--help']);
    const [help, node]: [number[], number[]] = [[], []];
    for (let round = 0; round < ROUNDS; round++) {
      say(`--help, ${round + 1} of ${ROUNDS}`);
      help.push((await home.cli(['--help'])).ms);
      node.push((await run(process.execPath, ['-e', ''], home.env)).ms);
    }
    return {
      figures: [
        sampled({ name: 'startup.help', what: 'backstay --help', unit: 'ms', atMost: 150 }, help),
        sampled({ name: 'startup.node', what: 'for comparison: node -e ""', unit: 'ms' }, node),
      ],
    };
  },
};
