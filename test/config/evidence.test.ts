import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadStack, type Problem } from '../../src/config/index.ts';
import type { BackstayError } from '../../src/errors/index.ts';
import type { Stack } from '../../src/model/index.ts';

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

async function problemsOf(settings: string): Promise<readonly Problem[]> {
  const error = await load(settings).then(
    () => undefined,
    (caught: unknown) => caught as BackstayError,
  );
  expect(error?.code).toBe('STACK_INVALID');
  return error?.details['problems'] as readonly Problem[];
}

const METRICS = '  backstay:metrics:\n    prometheus: { url: "http://prometheus:9090" }\n';

describe('evidence, metrics and doctor of a stack file', () => {
  test('are compiled to milliseconds and bytes', async () => {
    const stack = await load(
      `  backstay:evidence: { limit: 1.5s, emergencyLimit: 500ms, size: 512KiB, logLines: 10 }
${METRICS}    window: 30m
    queries: [{ name: up, query: "up{job=\\"x\\"}" }]
  backstay:doctor: { hosts: [db.example], databases: [{ name: main, host: db, port: 5432 }] }
`,
    );
    expect(stack.evidence).toEqual({ limitMs: 1_500, emergencyLimitMs: 500, limitBytes: 524_288, logLines: 10 });
    expect(stack.metrics).toEqual({
      prometheus: { url: 'http://prometheus:9090' },
      windowMs: 1_800_000,
      stepMs: 15_000,
      queries: [{ name: 'up', query: 'up{job="x"}' }],
    });
    expect(stack.doctor).toEqual({ hosts: ['db.example'], databases: [{ name: 'main', host: 'db', port: 5432 }] });
  });

  test.each([
    ['a size without a unit', '  backstay:evidence: { size: 20 }\n', 'backstay:evidence.size', 'a size with its unit'],
    [
      'more points than Prometheus gives',
      `${METRICS}    step: 100ms\n    queries: [{ name: a, query: up }]\n`,
      'backstay:metrics.step',
      'at most 11000 steps in 1h',
    ],
    [
      'two queries of one name',
      `${METRICS}    queries: [{ name: a, query: up }, { name: a, query: down }]\n`,
      'backstay:metrics.queries[1].name',
      'a name of its own',
    ],
    ['no query', `${METRICS}    queries: []\n`, 'backstay:metrics.queries', 'at least one query'],
    [
      'a host that a program would take for an option',
      '  backstay:doctor: { hosts: ["--help"] }\n',
      'backstay:doctor.hosts[0]',
      'a host name or address',
    ],
  ])('name %s with its line', async (_name, settings, path, expected) => {
    const problems = await problemsOf(settings);
    expect(problems).toContainEqual(
      expect.objectContaining({ path, expected: expect.stringContaining(expected), line: expect.any(Number) }),
    );
  });
});
