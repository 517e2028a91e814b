import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KubeObject } from '../../src/model/index.ts';
import type { ServiceDeps } from '../../src/service/deps.ts';
import { type Planning, planning } from '../actions/planning.ts';
import { appFor } from '../support/app.ts';
import { aStackFile, type TestService, testService } from '../support/service.ts';
import { configMap } from '../support/snapshots.ts';

/** What the service says of a stack that lives: a real API server, a real store. */
describe('a live stack over HTTP', () => {
  let service: TestService;
  let real: Planning;
  let deps: ServiceDeps;

  beforeAll(async () => {
    real = await planning({ requireReason: true });
    service = await testService({ stacks: { demo: aStackFile('', real.namespace) } });
    deps = {
      ...service.deps,
      withStack: async (name, by, work) =>
        await service.deps.withStack(name, by, async (reached) => {
          const { stack, store } = real.place;
          return await work({ ...reached, stack, store, planDeps: async () => await Promise.resolve(real.deps) });
        }),
    };
    await real.make(app('fast'));
  });
  const app = (backend: string): KubeObject => {
    const object = configMap('app', { BACKEND: backend });
    return { ...object, metadata: { ...object.metadata, namespace: real.namespace } };
  };
  afterAll(async () => {
    await Promise.all([service.close(), real.remove()]);
  });

  it('is captured, compared, planned for and looked at', async () => {
    const { ask } = appFor(deps);
    const captured = await ask('operator', 'POST', '/v1/stacks/demo/snapshots', {
      labels: ['v1'],
      reason: 'before v2',
    });
    expect(captured.status).toBe(201);
    expect(await captured.json()).toMatchObject({ kind: 'captured', isNew: true, objects: 1 });

    const nothing = await ask('operator', 'POST', '/v1/stacks/demo/plans', { target: 'v1', options: { reason: 'x' } });
    expect(nothing.status).toBe(200);
    expect(await nothing.json()).toMatchObject({ kind: 'nothing-to-do' });

    await real.put(app('slow'));
    const back = await ask('viewer', 'GET', '/v1/stacks/demo/compare?to=v1');
    expect(back.status).toBe(200);
    const compared = (await back.json()) as { from: string; changes: { action: string; fields: object[] }[] };
    expect(compared).toMatchObject({ from: 'live', labels: ['v1'], changes: [{ action: 'update' }] });
    const since = await ask('viewer', 'GET', '/v1/stacks/demo/compare?from=v1&to=live');
    const forth = (await since.json()) as typeof compared;
    expect(forth).toMatchObject({ to: 'live', changes: [{ action: 'update' }] });
    expect(JSON.stringify(compared.changes)).toContain('"after":"fast"');
    expect(JSON.stringify(forth.changes)).toContain('"after":"slow"');
    const same = await ask('viewer', 'GET', '/v1/stacks/demo/compare?from=v1&to=v1');
    expect(await same.json()).toMatchObject({ changes: [] });

    const asked = { target: 'v1', scope: { kind: 'config' }, options: { reason: 'slow backend' } };
    const planned = await ask('operator', 'POST', '/v1/stacks/demo/plans', asked);
    expect(planned.status).toBe(201);
    const { kind, plan } = (await planned.json()) as { kind: string; plan: { hash: string } };
    expect(kind).toBe('planned');
    expect(plan).toMatchObject({ stack: 'demo', scope: { kind: 'config' }, options: { reason: 'slow backend' } });
    expect(planned.headers.get('location')).toBe(`/v1/plans/${plan.hash}`);
    expect(await (await ask('viewer', 'GET', `/v1/plans/${plan.hash}`)).json()).toEqual(plan);

    const live = await ask('viewer', 'GET', '/v1/stacks/demo/live?checks=true');
    expect(live.status).toBe(200);
    expect(await live.json()).toMatchObject({ stack: 'demo', workloads: [], flags: [], checks: [] });

    const lost = await ask('operator', 'POST', '/v1/stacks/demo/plans', { target: 'v9', options: { reason: 'x' } });
    expect(lost.status).toBe(404);
    expect(await lost.json()).toMatchObject({ code: 'TARGET_UNKNOWN' });
  });
});
