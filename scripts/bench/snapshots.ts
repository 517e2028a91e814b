import { join } from 'node:path';
import type { Bench } from './bench.ts';
import { sampled } from './figure.ts';
import { configuration, createAll, namespaceOf } from './objects.ts';
import { metered, usageIn } from './process-times.ts';

const OBJECTS = 1000;
const ROUNDS = 5;

export const capture: Bench = {
  name: 'capture',
  what: `capturing ${OBJECTS} objects`,
  async measure({ home, say }) {
    const stack = 'bench-capture';
    await home.sandbox();
    await home.stack(stack);
    say(`creating ${OBJECTS} objects`);
    await createAll(home, stack, [namespaceOf(stack)]);
    await createAll(home, stack, configuration(stack, OBJECTS, 'v1'));
    const [times, peaks]: [number[], number[]] = [[], []];
    for (let round = 0; round < ROUNDS; round++) {
      say(`capture, ${round + 1} of ${ROUNDS}`);
      const file = join(home.dir, 'used');
      times.push((await home.cli(['capture', stack, '--as', `round-${round}`], metered(home.env, file))).ms);
      peaks.push(usageIn(file).peakBytes / 2 ** 20);
    }
    return {
      figures: [
        sampled(
          { name: 'capture.time', what: `capture of ${OBJECTS} objects, as a process`, unit: 'ms', atMost: 2000 },
          times,
        ),
        sampled({ name: 'capture.memory', what: 'its peak of resident memory', unit: 'MB', atMost: 300 }, peaks),
      ],
    };
  },
};

export const diff: Bench = {
  name: 'diff',
  what: `comparing two snapshots of ${OBJECTS} objects`,
  async measure({ home, say }) {
    const stack = 'bench-diff';
    await home.sandbox();
    await home.stack(stack);
    say(`importing two snapshots of ${OBJECTS} objects`);
    const [old, wanted] = [configuration(stack, OBJECTS, 'v1'), configuration(stack, OBJECTS, 'v2')];
    // Every tenth object differs; in the other snapshot they are as they were.
    const mixed = old.map((object, index) =>
      index % 10 === 0 || index % 10 === 9 ? (wanted[index] ?? object) : object,
    );
    await home.cli(['import-manifests', stack, home.manifests('v1', old), '--as', 'v1']);
    await home.cli(['import-manifests', stack, home.manifests('v2', mixed), '--as', 'v2']);
    const [some, none]: [number[], number[]] = [[], []];
    for (let round = 0; round < ROUNDS; round++) {
      say(`diff, ${round + 1} of ${ROUNDS}`);
      const differing = await home.cli(['diff', stack, '--from', 'v1', '--to', 'v2', '--output', 'json']);
      requireChanges(differing.stdout, OBJECTS / 5);
      some.push(differing.ms);
      const equal = await home.cli(['diff', stack, '--from', 'v1', '--to', 'v1', '--output', 'json']);
      requireChanges(equal.stdout, 0);
      none.push(equal.ms);
    }
    const what = `diff of two snapshots of ${OBJECTS} objects, as a process`;
    return {
      figures: [
        sampled({ name: 'diff.time', what: `${what}, ${OBJECTS / 5} differing`, unit: 'ms', atMost: 1000 }, some),
        sampled({ name: 'diff.equal', what: 'the same with nothing differing', unit: 'ms' }, none),
      ],
    };
  },
};

/** A figure of a diff that saw the wrong thing is worth nothing. */
function requireChanges(stdout: string, wanted: number): void {
  const { changes } = JSON.parse(stdout) as { changes: readonly unknown[] };
  if (changes.length !== wanted) throw new TypeError(`diff found ${changes.length} changes in place of ${wanted}`);
}
