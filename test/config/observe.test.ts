import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadStack } from '../../src/config/index.ts';
import type { Stack } from '../../src/model/index.ts';

let projectDir: string;
beforeAll(async () => {
  projectDir = await mkdtemp(join(tmpdir(), 'backstay-observe-'));
  await mkdir(join(projectDir, 'stacks'));
  await writeFile(join(projectDir, 'Pulumi.yaml'), 'name: backstay\nruntime: nodejs\n');
});
afterAll(async () => await rm(projectDir, { recursive: true, force: true }));

const CHECK = '  backstay:checks: [{ name: front, kind: http, target: { url: "http://front/" } }]\n';

async function load(...settings: readonly string[]): Promise<Stack> {
  const file = join(projectDir, 'stacks', 'Pulumi.shop.yaml');
  await writeFile(file, `config:\n  backstay:namespaces: [shop]\n${settings.join('')}`);
  return await loadStack('shop', { projectDir, env: { HOME: projectDir } });
}

const observe = (text: string): string => `  backstay:observe: ${text}\n`;

describe('what is watched after a run', () => {
  test('is nothing, where the stack file does not say it', async () => {
    expect((await load()).observe).toBeUndefined();
  });

  test('has half an hour, and a look each half minute', async () => {
    const { observe: policy } = await load(observe('{ logs: {} }'));
    expect(policy).toEqual({
      forMs: 1_800_000,
      everyMs: 30_000,
      watches: [],
      checks: [],
      sessions: [],
      logs: { ignore: [] },
      neighbours: [],
    });
  });

  test('are figures, checks, logs and neighbours', async () => {
    const { observe: policy } = await load(
      CHECK,
      '  backstay:metrics: { prometheus: { url: "http://metrics" }, queries: [{ name: up, query: up }] }\n',
      observe(
        '{ for: 10m, every: 15s, checks: [front], logs: { ignore: ["^probe"] }, neighbours: [next-door], watches: [' +
          '{ name: errors, measure: { kind: error-rate, target: { url: "http://front/" } }, above: { value: 0.01 } },' +
          '{ name: connections, measure: { kind: prometheus, query: sum(open) }, above: { value: 80 }, for: 2m } ] }',
      ),
    );
    expect(policy).toMatchObject({ forMs: 600_000, everyMs: 15_000, checks: ['front'], neighbours: ['next-door'] });
    expect(policy?.watches).toEqual([
      {
        name: 'errors',
        measure: { kind: 'error-rate', target: { url: 'http://front/' }, accept: [200], windowMs: 300_000 },
        above: { value: 0.01 },
        forMs: 60_000,
        everyMs: 15_000,
      },
      {
        name: 'connections',
        measure: { kind: 'prometheus', query: 'sum(open)', prometheus: { url: 'http://metrics' } },
        above: { value: 80 },
        forMs: 120_000,
        everyMs: 15_000,
      },
    ]);
  });

  const errors = '{ name: errors, measure: { kind: error-rate, target: { url: "http://front/" } } }';
  test.each([
    ['nothing at all', observe('{ for: 5m }'), 'backstay:observe', 'watches, checks, sessions, logs or neighbours'],
    ['a look that comes too late', observe('{ for: 5s, logs: {} }'), 'backstay:observe.for', 'at least `every`'],
    ['an unknown check', observe('{ checks: [front] }'), 'backstay:observe.checks', 'checks, which has none'],
    ['a check twice', CHECK + observe('{ checks: [front, front] }'), 'observe.checks', 'a name of its own'],
    ['a figure without a limit', observe(`{ watches: [${errors}] }`), 'observe.watches', 'above: {value: N}'],
    [
      'a figure against a baseline',
      observe('{ watches: [{ name: x, measure: { kind: prometheus, query: x }, above: { timesBaseline: 2 } }] }'),
      'observe.watches',
      'expected',
    ],
    [
      'a query that nobody answers',
      observe('{ watches: [{ name: x, measure: { kind: prometheus, query: x }, above: { value: 2 } }] }'),
      'observe.watches',
      'prometheus',
    ],
    [
      'a window that holds too few answers',
      observe(
        '{ every: 1m, watches: [{ name: x, measure: { kind: latency, target: { url: "http://a/" } }, above: { value: 2 } }] }',
      ),
      'observe.watches',
      'at least 10 times `every`',
    ],
    [
      'an unknown data store',
      observe('{ sessions: [{ store: x, atMost: 5 }] }'),
      'observe.sessions',
      'stores, which has none',
    ],
    [
      'bounds that nothing fits',
      observe('{ sessions: [{ store: x, atLeast: 9, atMost: 5 }] }'),
      'atLeast',
      'at most atMost, 5',
    ],
    ['a pattern that is none', observe('{ logs: { ignore: ["("] } }'), 'observe.logs.ignore', 'a regular expression'],
  ])('is refused with %s', async (_what, settings, place, said) => {
    const refused = load(settings);
    await expect(refused).rejects.toMatchObject({ code: 'STACK_INVALID' });
    await expect(refused).rejects.toThrow(place);
    await expect(refused).rejects.toThrow(said);
  });
});
