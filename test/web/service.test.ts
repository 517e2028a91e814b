import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ensurePage } from '../../scripts/page.ts';
import { createApp } from '../../src/http/app.ts';
import { REQUEST_LIMITS } from '../../src/http/context.ts';
import { listen, type Listening } from '../../src/http/server.ts';
import { fold, type JournalEntry, linkOf } from '../../src/journal/index.ts';
import type { RunEventBody } from '../../src/model/index.ts';
import { createGate } from '../../src/service/access/prove.ts';
import { createToken } from '../../src/service/access/tokens.ts';
import type { Drill } from '../../src/service/drills.ts';
import { journalOf } from '../support/journal.ts';
import { aStackFile, type TestService, testService } from '../support/service.ts';
import { barriers, openPage, startBrowser } from './support/browser.ts';
import { stamped } from './support/story.ts';

/** The journal of a real run, of a format that is kept for ever. */
const RECORDED = join(import.meta.dirname, '..', 'histories', 'format-2-succeeded.json');
/** In the middle of applying. */
const FIRST = 40;

const STORED = `  backstay:stores:
    - { name: main, kind: postgres, connection: { host: 127.0.0.1, port: 1, database: shop, user: shop } }
  backstay:schedules: [{ name: nightly, do: capture, every: 1d }]
`;

let browser: Browser;
let service: TestService;
let listening: Listening;
let entries: readonly JournalEntry[];
let stack: string;
const stopping = new AbortController();

beforeAll(async () => {
  entries = JSON.parse(await readFile(RECORDED, 'utf8')) as readonly JournalEntry[];
  stack = entries[0]?.stack ?? '';
  await ensurePage();
  browser = await startBrowser();
  service = await testService({
    stacks: { [stack]: aStackFile(), 'medical-kg': aStackFile(), stored: aStackFile(STORED) },
  });
  listening = await serve(0);
}, 300_000);

async function serve(port: number): Promise<Listening> {
  return await listen({ host: '127.0.0.1', port }, () =>
    createApp({
      service: service.deps,
      gate: createGate({ oidc: [] }, service.deps),
      log: () => undefined,
      stopping: stopping.signal,
      front: { isTrusted: () => false, secure: false, openMetrics: true },
      limits: REQUEST_LIMITS,
    }),
  );
}

afterAll(async () => {
  stopping.abort();
  await browser.close();
  await listening.close(0);
  await service.close();
});

it('shows a run of which the rest comes while somebody watches, and the service is another one meanwhile', async () => {
  const { deps } = service;
  for (const entry of entries.slice(0, FIRST)) await deps.journal.append(entry);
  const grants = [{ role: 'operator', stacks: ['*'] }] as const;
  const { token } = await createToken({ name: 'anna', grants, by: 'a test' }, deps);
  const { page, context, complaints } = await openPage(browser, `${listening.url}/#/stacks/${stack}`);

  await page.getByLabel('Token').fill(token);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { level: 1, name: stack }).waitFor();
  // No cluster is behind this stack: that is said, and nothing is made up.
  await page.getByRole('region', { name: 'Health now' }).getByRole('alert').waitFor();
  expect(await barriers(page, 'stack without a cluster')).toEqual([]);

  await page
    .getByRole('link', { name: entries[0]?.run ?? '' })
    .first()
    .click();
  await page.getByRole('heading', { level: 1, name: 'Rollback to good' }).waitFor();
  await page.locator('[aria-current=step]', { hasText: 'applied' }).waitFor();
  // The service goes, the run goes on, and another service comes.
  await listening.close(0);
  await page.getByText('The run goes on without it.').waitFor();
  for (const entry of entries.slice(FIRST)) await deps.journal.append(entry);
  listening = await serve(listening.port);
  await page.getByText('The run ended: succeeded').waitFor({ state: 'attached' });
  await page.getByText('8 of 8 steps').waitFor();
  // What is seen after the end is in the journal of the run, whose stream is over.
  const last = entries.at(-1)!;
  const seen: readonly RunEventBody[] = [
    { type: 'observation.started', until: new Date(Date.now() + 9e5).toISOString(), subjects: ['check web', 'logs'] },
    { type: 'observation.changed', subject: 'check web', verdict: 'fail', reason: 'it answers 503' },
  ];
  let before = last;
  for (const [i, event] of stamped(last.run, seen, fold(entries).eventSequence).entries()) {
    const next: JournalEntry = { ...nextOf(before), time: event.time, kind: 'event', event: { ...event, stack } };
    await deps.journal.append(next);
    before = next;
    await page
      .getByText(['not measured yet', 'it answers 503'][i] ?? '')
      .first()
      .waitFor();
  }

  const [report] = await Promise.all([
    context.waitForEvent('page'),
    page.getByRole('link', { name: 'Report' }).click(),
  ]);
  await report.getByText('Rollback report').waitFor();
  // Its own style counts, although the page's policy would have none.
  expect(
    await report.evaluate<string>('getComputedStyle(document.querySelector(".pill")).borderTopLeftRadius'),
  ).not.toBe('0px');

  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('heading', { level: 1, name: 'Sign in' }).waitFor();
  expect(complaints).toEqual([]);
  await context.close();
});

it('proves a backup, says how that ended, and what is done by itself', async () => {
  const { deps } = service;
  const { page, context, complaints } = await openPage(browser, `${listening.url}/#/stacks/stored`);
  const { token } = await createToken(
    { name: 'otto', grants: [{ role: 'operator', stacks: ['stored'] }], by: 'a test' },
    deps,
  );
  await page.getByLabel('Token').fill(token);
  await page.keyboard.press('Enter');
  const part = (name: string) => page.getByRole('region', { name, exact: true });
  await part('By itself').getByText('no service has seen it yet').waitFor();
  await part('Backups').getByText('no drill has proven a backup').waitFor();
  await part('Backups').getByRole('button', { name: 'Prove a backup' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Prove a backup' }).click();
  // A process of its own, which finds no database.
  await part('Backups').getByText('failed', { exact: true }).first().waitFor({ timeout: 60_000 });
  const { items } = (await (await context.request.get(`${listening.url}/v1/stacks/stored/drills`)).json()) as {
    readonly items: readonly Drill[];
  };
  expect(items.map(({ by, store, state }) => [by, store, state])).toEqual([['token:otto', 'main', 'failed']]);
  const { message } = items[0]!.result as { readonly message: string };
  await part('Backups').getByText(message).waitFor();
  expect(complaints).toEqual([]);
  await context.close();
});

it('writes a decision into the journal of the run that waits for it, in the name of the one who signed in', async () => {
  const { deps } = service;
  const [created] = entries;
  if (created?.kind !== 'run-created') throw new TypeError('the recorded journal begins otherwise');
  const approval = { severity: 'SEV-2', roles: ['platform-lead'], when: 'before', count: 1, expiresMs: 9e8 } as const;
  const { plan, by } = created;
  const run = '20261121-031502-5e8a10';
  const need = { type: 'approval.needed', ...approval, until: new Date(Date.now() + 9e8).toISOString() } as const;
  const waiting = journalOf([{ kind: 'run-created', plan: { ...plan, stack: 'medical-kg', approval }, by }], run);
  const startedAt = new Date().toISOString();
  const first = { ...waiting[0]!, time: startedAt };
  await deps.journal.append(first);
  const event = { ...need, run, stack: 'medical-kg', sequence: 1, time: startedAt };
  await deps.journal.append({ ...nextOf(first), time: startedAt, kind: 'event', event });
  const grants = [{ role: 'operator', stacks: ['*'], approves: ['platform-lead'] }] as const;
  const { token } = await createToken({ name: 'lea', grants, by: 'a test' }, deps);

  const { page, context, complaints } = await openPage(browser, `${listening.url}/`);
  await page.getByLabel('Token').fill(token);
  await page.keyboard.press('Enter');
  await page.getByRole('region', { name: 'Waits for somebody' }).getByRole('link').click();
  await page.getByRole('button', { name: 'Approve' }).click();
  await page.getByRole('dialog').getByLabel('Reason').fill('go');
  await page.getByRole('dialog').getByRole('button', { name: 'Approve' }).click();
  await page.getByRole('region', { name: 'Waits for an approval' }).waitFor({ state: 'detached' });
  const { approvals } = fold(await deps.journal.read(run));
  expect(
    approvals.map(({ decision, by: who, role, reason, plan: of }) => [decision, who.user, role, reason, of]),
  ).toEqual([['approved', 'token:lea', 'platform-lead', 'go', plan.hash]]);
  expect(complaints).toEqual([]);
  await context.close();
});

/** What the entry after this one has to say of it. */
function nextOf(entry: JournalEntry) {
  const { format, run, stack: of } = entry;
  return { format, run, stack: of, sequence: entry.sequence + 1, previous: linkOf(entry) };
}
