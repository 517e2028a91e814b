import { spawn } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApp } from '../../src/http/app.ts';
import { REQUEST_LIMITS } from '../../src/http/context.ts';
import { listen, type Listening } from '../../src/http/server.ts';
import type { LogLine } from '../../src/service/log.ts';
import { findSchemathesis } from '../../src/toolchain/schemathesis.ts';
import { aPlan, aStep } from '../rollback/builders.ts';
import { gateOfRoles } from '../support/app.ts';
import { journalOf } from '../support/journal.ts';
import { aStackFile, type TestService, testService } from '../support/service.ts';

/** The whole API over a socket, asked by a program that knows nothing but its description. */
describe('whatever the description allows, and what it does not', () => {
  let service: TestService;
  let listening: Listening;
  let schemathesis: string;
  const log: LogLine[] = [];
  const stopping = new AbortController();

  beforeAll(async () => {
    [service, schemathesis] = await Promise.all([testService({ stacks: { shop: aStackFile() } }), findSchemathesis()]);
    // The run that the description has as its example; its stack is not there, so that no cluster is asked.
    const plan = aPlan({ steps: [aStep('a', 'locked')] });
    const by = { user: 'ada', host: 'laptop' };
    for (const entry of journalOf([{ kind: 'run-created', plan, by }], '20260102-031500-3f9a2c'))
      await service.deps.journal.append(entry);
    listening = await listen({ host: '127.0.0.1', port: 0 }, () =>
      createApp({
        service: service.deps,
        gate: gateOfRoles(),
        log: (line) => void log.push(line),
        stopping: stopping.signal,
        front: { isTrusted: () => false, secure: false, openMetrics: true },
        limits: { ...REQUEST_LIMITS, perMinute: 1_000_000 },
      }),
    );
  }, 600_000);
  afterAll(async () => {
    stopping.abort();
    await listening.close(1_000);
    await service.close();
  });

  const run = async (args: readonly string[]) =>
    await new Promise<{ readonly code: number | null; readonly said: string }>((resolve, reject) => {
      const child = spawn(schemathesis, [...args], { cwd: service.machine.dir, stdio: ['ignore', 'pipe', 'pipe'] });
      let said = '';
      for (const stream of [child.stdout, child.stderr])
        stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
      child.once('error', reject);
      child.once('close', (code) => resolve({ code, said }));
    });

  const CHECKS = [
    'not_a_server_error',
    'status_code_conformance',
    'content_type_conformance',
    'response_schema_conformance',
    'unsupported_method',
  ];

  /** What it found: faults of ours, and statuses, types or bodies that the description does not have. */
  const asked = async (...args: readonly string[]) => {
    const before = log.length;
    const { code, said } = await run([
      'run',
      `${listening.url}/openapi.json`,
      '--header',
      'Authorization: Bearer admin',
      // Streams do not end by themselves; test/http/sse.test.ts has them.
      '--exclude-path-regex',
      '/events$',
      '--checks',
      CHECKS.join(','),
      '--generation-deterministic',
      '--request-timeout',
      '20',
      '--no-color',
      ...args,
    ]);
    const made = log.slice(before);
    return {
      found: code === 0 ? '' : said.slice(-6_000),
      defects: made.filter(({ event }) => event === 'defect'),
      requests: made.filter(({ event }) => event === 'request').length,
    };
  };

  it('is answered as described where something is asked for: bodies that are nearly right', async () => {
    // Those with bodies of their own; what all have in common is tried once.
    const paths = '/(plans|tokens|session|cancel)$';
    const { requests, ...rest } = await asked(
      '--phases',
      'coverage',
      '--include-method',
      'POST',
      '--include-path-regex',
      paths,
    );
    expect(rest).toEqual({ found: '', defects: [] });
    expect(requests).toBeGreaterThan(150);
  }, 600_000);

  it('is answered as described at every address', async () => {
    const { requests, ...rest } = await asked('--phases', 'fuzzing', '--max-examples', '1');
    expect(rest).toEqual({ found: '', defects: [] });
    expect(requests).toBeGreaterThan(40);
  }, 600_000);
});
