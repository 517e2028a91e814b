import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadStack } from '../../src/config/index.ts';
import type { BackstayError } from '../../src/errors/index.ts';
import type { Stack } from '../../src/model/index.ts';

let projectDir: string;
beforeEach(async () => {
  projectDir = await mkdtemp(join(tmpdir(), 'backstay-config-'));
  await mkdir(join(projectDir, 'stacks'));
});
afterEach(async () => await rm(projectDir, { recursive: true, force: true }));

const store = (name: string): string =>
  `    - { name: ${name}, kind: postgres, connection: { host: 127.0.0.1, database: d, user: u } }\n`;

async function load(schedules: readonly string[], stores: readonly string[] = []): Promise<Stack> {
  const held = stores.length === 0 ? '' : `  backstay:stores:\n${stores.map(store).join('')}`;
  const text = `config:\n  backstay:namespaces: production\n  backstay:schedules:\n${schedules.map((one) => `    - ${one}\n`).join('')}${held}`;
  await writeFile(join(projectDir, 'stacks', 'Pulumi.it.yaml'), text);
  return await loadStack('it', { projectDir, env: { HOME: projectDir } });
}

const problem = async (schedules: readonly string[], stores: readonly string[] = []): Promise<string> =>
  await load(schedules, stores).then(
    () => '',
    (error: BackstayError) => error.message.replaceAll(`${join(projectDir, 'stacks')}/`, ''),
  );

describe('schedules of a stack file', () => {
  test('are compiled to milliseconds', async () => {
    const { schedules } = await load(
      [
        '{ name: nightly, do: capture, every: 1d, reason: "every night" }',
        '{ name: proof, do: drill, every: 90d }',
        '{ name: tidy, do: finalize-expired, every: 1m }',
      ],
      ['main'],
    );
    expect(schedules).toEqual([
      { name: 'nightly', do: 'capture', everyMs: 86_400_000, reason: 'every night' },
      { name: 'proof', do: 'drill', everyMs: 90 * 86_400_000 },
      { name: 'tidy', do: 'finalize-expired', everyMs: 60_000 },
    ]);
    const chosen = await load(['{ name: a, do: drill, every: 1h, store: logs }'], ['main', 'logs']);
    expect(chosen.schedules).toEqual([{ name: 'a', do: 'drill', everyMs: 3_600_000, store: 'logs' }]);
  });

  test.each<[string, readonly string[], readonly string[], string]>([
    [
      'less than a minute',
      ['{ name: a, do: capture, every: 59s }'],
      [],
      'Pulumi.it.yaml:4:38: backstay:schedules[0].every: found "59s", expected a duration of at least 1m',
    ],
    [
      'a time without its unit',
      ['{ name: a, do: capture, every: daily }'],
      [],
      'Pulumi.it.yaml:4:38: backstay:schedules[0].every: found "daily", expected a duration with its unit, such as 500ms, 30s, 5m or 1h',
    ],
    [
      'a name that is no name',
      ['{ name: a/b, do: capture, every: 1h }'],
      [],
      'Pulumi.it.yaml:4:15: backstay:schedules[0].name: found "a/b", expected a name of up to 100 letters, digits, ., _ and -',
    ],
    [
      'something that nobody does',
      ['{ name: a, do: captur, every: 1h }'],
      [],
      'Pulumi.it.yaml:4:22: backstay:schedules[0].do: found "captur", expected one of capture, drill, finalize-expired (did you mean capture?)',
    ],
    [
      'what belongs to another',
      ['{ name: a, do: capture, every: 1h, store: main }'],
      ['main'],
      'Pulumi.it.yaml:4:42: backstay:schedules[0].store: found the unknown key store, expected one of name, do, every, reason',
    ],
    [
      'the same name twice',
      ['{ name: a, do: capture, every: 1h }', '{ name: a, do: finalize-expired, every: 1h }'],
      [],
      'Pulumi.it.yaml:5:15: backstay:schedules[1].name: found "a" a second time, expected a name of its own',
    ],
    [
      'a drill of nothing',
      ['{ name: a, do: drill, every: 1h }'],
      [],
      'Pulumi.it.yaml:4:22: backstay:schedules[0].do: found a drill, expected a data store in stores, which has none',
    ],
    [
      'a drill of one of several',
      ['{ name: a, do: drill, every: 1h }'],
      ['main', 'logs'],
      'Pulumi.it.yaml:4:7: backstay:schedules[0]: found a drill without `store`, expected in it one of the stores: main, logs',
    ],
    [
      'a drill of another',
      ['{ name: a, do: drill, every: 1h, store: man }'],
      ['main'],
      'Pulumi.it.yaml:4:47: backstay:schedules[0].store: found "man", expected one of the stores: main',
    ],
  ])('are not %s, and the place is named', async (_what, schedules, stores, expected) => {
    expect(await problem(schedules, stores)).toBe(expected);
  });
});
