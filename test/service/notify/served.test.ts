import { afterAll, beforeAll, expect, test } from 'vitest';
import { Recorder } from '../../../src/rollback/index.ts';
import { localServer, type LocalServer } from '../../hooks/server.ts';
import { aPlan, aStep } from '../../rollback/builders.ts';
import { aStackFile, type TestService, testService } from '../../support/service.ts';
import { eventually } from './support/world.ts';

const SECRET = 'whsec_0123456789abcdef';
const RUN = '20260301-030000-aaaaaa';

let receiver: LocalServer;
let service: TestService;

beforeAll(async () => {
  receiver = await localServer(() => ({ status: 200 }));
  const channel = `{ name: audit, kind: webhook, url: "${receiver.url}", secret: { env: AUDIT_SECRET } }`;
  service = await testService({
    env: { AUDIT_SECRET: SECRET },
    stacks: { shop: aStackFile(`  backstay:notifications: { channels: [${channel}] }\n`) },
  });
});
afterAll(async () => {
  await service.close();
  await receiver[Symbol.asyncDispose]();
});

test('`backstay serve` tells of a run that another process carries, and logs no secret', {
  timeout: 120_000,
}, async () => {
  const { journal, records, clock, by } = service.deps;
  const serving = service.machine.start(['serve', '--listen', '127.0.0.1:0']);
  try {
    await serving.said('"listening"');
    await eventually(async () => (await records.get('cursor', 'notify')) !== undefined);
    const recorder = new Recorder({ journal, clock, reporter: { report: () => {} }, run: RUN, stack: 'shop' });
    await recorder.append({ kind: 'run-created', plan: aPlan({ stack: 'shop', steps: [aStep('a', 'applied')] }), by });
    await recorder.append({ kind: 'step-begin', operation: 'a1', step: 'a', attempt: 1 });
    await eventually(() => receiver.received.length === 1);
    await recorder.append({ kind: 'run-ended', outcome: 'succeeded' });
    await eventually(() => receiver.received.length === 2);
  } finally {
    serving.child.kill('SIGTERM');
  }
  const { code, stdout, stderr } = await serving.ended;
  expect(code).toBe(0);
  const events = receiver.received.map(({ headers }) => headers['idempotency-key']);
  expect(events).toEqual([`${RUN}:00000002:run.started`, `${RUN}:00000003:run.ended`]);
  expect(stderr).toContain('"event":"notice"');
  expect(stdout + stderr).not.toContain(SECRET);
});
