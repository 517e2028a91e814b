import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadStack, type Problem } from '../../src/config/index.ts';
import type { BackstayError } from '../../src/errors/index.ts';
import type { Stack } from '../../src/model/index.ts';
import { PROJECT } from '../support/backstay.ts';

let projectDir: string;

beforeEach(async () => {
  projectDir = await mkdtemp(join(tmpdir(), 'backstay-config-'));
  await mkdir(join(projectDir, 'stacks'));
});
afterEach(async () => await rm(projectDir, { recursive: true, force: true }));

async function load(settings: string): Promise<Stack> {
  const text = `config:\n  backstay:namespaces: production\n${settings}`;
  await writeFile(join(projectDir, 'stacks', 'Pulumi.it.yaml'), text);
  return await loadStack('it', { projectDir, env: { HOME: projectDir } });
}

const URL_OF_API = '{ url: "http://api" }';
const route = (kind: string, more = ''): string => `{ kind: ${kind}, target: ${URL_OF_API}${more} }`;
const triggers = (...lines: readonly string[]): string =>
  `  backstay:triggers:\n${lines.map((line) => `    ${line}\n`).join('')}`;
const watch = (more: string): string => `watches: [{ name: a, for: 1m, ${more} }]`;

describe('triggers of a stack file', () => {
  test('start nothing unless they are asked for', async () => {
    expect((await load('')).triggers).toBeUndefined();
  });

  test('propose, and are careful, when nothing else is said', async () => {
    expect((await load('  backstay:triggers: {}\n')).triggers).toEqual({
      mode: 'propose',
      target: 'known-good',
      scope: { kind: 'full' },
      settleMs: 30_000,
      staleMs: 900_000,
      quietMs: 1_800_000,
      alerts: { match: { rollback_trigger: 'true' }, stackLabel: 'stack' },
      watches: [],
    });
  });

  test('are compiled to milliseconds, and a failing route needs no limit', async () => {
    const { triggers: policy } = await load(
      triggers(
        'mode: automatic',
        'scope: { workloads: [api] }',
        'settle: 1s',
        'watches:',
        `  - { name: down, for: 5m, measure: ${route('failing')} }`,
        `  - { name: slow, for: 3m, every: 1s, above: { timesBaseline: 2 }, measure: ${route('latency', ', window: 1m')} }`,
      ),
    );
    expect(policy).toMatchObject({ mode: 'automatic', scope: { kind: 'workloads', names: ['api'] }, settleMs: 1_000 });
    expect(policy?.watches).toEqual([
      {
        name: 'down',
        measure: { kind: 'failing', target: { url: 'http://api' }, accept: [200] },
        above: { value: 0.5 },
        forMs: 300_000,
        everyMs: 15_000,
      },
      {
        name: 'slow',
        measure: { kind: 'latency', target: { url: 'http://api' }, accept: [200], windowMs: 60_000 },
        above: { timesBaseline: 2 },
        forMs: 180_000,
        everyMs: 1_000,
      },
    ]);
  });

  test('of the example of a triage tool are taken', async () => {
    const text = await readFile(join(PROJECT, 'examples', 'triage', 'Pulumi.triage.yaml'), 'utf8');
    await writeFile(join(projectDir, 'stacks', 'Pulumi.triage.yaml'), text);
    const { triggers: policy } = await loadStack('triage', { projectDir, env: { HOME: projectDir } });
    expect(policy?.watches.map(({ name, above, forMs }) => [name, above, forMs])).toEqual([
      ['errors', { value: 0.05 }, 15_000],
      ['response-time', { value: 1_000 }, 60_000],
      ['circuit-breakers', { value: 0 }, 30_000],
      ['authentication', { value: 0.1 }, 60_000],
      ['memory', { value: 2e9 }, 300_000],
    ]);
  });

  test.each([
    ['its own', '', ', prometheus: { url: "http://own" }', 'http://own'],
    ['that of triggers', 'prometheus: { url: "http://here" }', '', 'http://here'],
    ['that of metrics', '', '', 'http://metrics'],
  ])('ask a query of %s Prometheus first', async (_name, line, own, url) => {
    const metrics =
      '  backstay:metrics: { prometheus: { url: "http://metrics" }, queries: [{ name: up, query: up }] }\n';
    const settings = triggers(
      'mode: propose',
      ...(line === '' ? [] : [line]),
      watch(`above: { value: 1 }, measure: { kind: prometheus, query: up${own} }`),
    );
    const { triggers: policy } = await load(`${metrics}${settings}`);
    expect(policy?.watches[0]?.measure).toEqual({ kind: 'prometheus', query: 'up', prometheus: { url } });
  });

  test.each([
    ['an unknown severity', triggers('severity: SEV-9'), 'backstay:triggers.severity', 'severities, which has none'],
    ['staleness before settling', triggers('settle: 1h'), 'backstay:triggers.stale', 'longer than settle, which is 1h'],
    [
      'no Prometheus',
      triggers(watch('above: { value: 1 }, measure: { kind: prometheus, query: up }')),
      'watches[0].measure',
      'in triggers or in metrics',
    ],
    ['no limit', triggers(watch(`measure: ${route('latency')}`)), 'watches[0]', '{timesBaseline: N}'],
    [
      'too short a window',
      triggers(watch(`every: 1m, above: { value: 1 }, measure: ${route('latency')}`)),
      'measure.window',
      'at least 10 times `every`, which is 1m',
    ],
    [
      'a watch of the same name',
      triggers(`watches: [${`{ name: a, for: 1m, measure: ${route('failing')} }, `.repeat(2)}]`),
      'watches[1].name',
      'a name of its own',
    ],
    ['an unknown scope', triggers('scope: everything'), 'backstay:triggers.scope', 'one of full'],
    ['an unknown measure', triggers(watch(`measure: ${route('guess')}`)), 'measure.kind', 'failing'],
  ])('refuse %s where it stands', async (_name, settings, path, expected) => {
    const error = await load(settings).then(
      () => undefined,
      (caught: unknown) => caught as BackstayError,
    );
    expect(error?.code).toBe('STACK_INVALID');
    const problems = error?.details['problems'] as readonly Problem[];
    expect(problems).toContainEqual(
      expect.objectContaining({ path: expect.stringContaining(path), expected: expect.stringContaining(expected) }),
    );
    expect(problems[0]?.line).toBeGreaterThan(2);
  });
});
