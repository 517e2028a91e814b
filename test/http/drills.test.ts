import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Drill, endOf, listDrills } from '../../src/service/drills.ts';
import { appFor } from '../support/app.ts';
import { aStackFile, type TestService, testService } from '../support/service.ts';

describe('what the log of a drill says', () => {
  const proven = '{"apiVersion":"backstay.dev/v1","kind":"Backup","id":"b1","proven":"restored"}';
  it.each([
    ['nothing', '', 'lost'],
    ['only that it was started', '{"kind":"Start","run":"db verify"}\n', 'lost'],
    ['that the backup restores', `{"kind":"Start"}\nsome words\n${proven}\n`, 'proven'],
    ['that it could only be read', proven.replace('restored', 'read'), 'failed'],
    ['an error', '{"kind":"Start"}\n{"kind":"Error","code":"BACKUP_DAMAGED"}\nerror BACKUP_DAMAGED', 'failed'],
    ['half a line', `{"kind":"Start"}\n${proven.slice(0, 40)}`, 'lost'],
  ])('of %s', (_, log, state) => expect(endOf(log).state).toBe(state));
});

/** A drill is a process of its own: here one that finds no database. */
describe('a drill over HTTP', () => {
  let service: TestService;
  beforeAll(async () => {
    const store = `  backstay:stores:
    - name: main
      kind: postgres
      connection: { host: 127.0.0.1, port: 1, database: shop, user: shop }
`;
    service = await testService({ stacks: { shop: aStackFile(store), bare: aStackFile() } });
  });
  afterAll(async () => await service.close());

  it('is begun, carried by a process of its own, and told of afterwards, whoever began it', async () => {
    const { ask } = appFor(service.deps);
    expect((await ask('viewer', 'POST', '/v1/stacks/shop/drills', {})).status).toBe(403);
    const begun = await ask('operator', 'POST', '/v1/stacks/shop/drills', { backup: 'latest' });
    expect(begun.status).toBe(202);
    const { id } = (await begun.json()) as Drill;
    // Another machine's service on the same records, or the next one on this machine, hears of its end.
    const another = await service.another();
    await expect
      .poll(async () => await listDrills('shop', another), { timeout: 60_000, interval: 200 })
      .toMatchObject([{ id, store: 'main', by: 'token:operator', state: 'failed', result: { kind: 'Error' } }]);
    const listed = await ask('viewer', 'GET', '/v1/stacks/shop/drills');
    expect(await listed.json()).toMatchObject({ items: [{ id, state: 'failed' }] });
    expect(await (await ask('viewer', 'GET', '/v1/stacks/bare/drills')).json()).toEqual({ items: [] });
  });

  it.each([
    ['shop', { store: 'other' }, 404, 'STORE_UNKNOWN'],
    ['bare', {}, 404, 'STORE_UNKNOWN'],
    ['shop', { backup: '--no-restore' }, 422, 'REQUEST_INVALID'],
    ['nowhere', {}, 404, 'STACK_UNKNOWN'],
  ])('of %s with %j is refused', async (stack, body, status, code) => {
    const { ask } = appFor(service.deps);
    const refused = await ask('operator', 'POST', `/v1/stacks/${stack}/drills`, body);
    expect(await refused.json()).toMatchObject({ status, code });
  });
});
