import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ensurePage } from '../../scripts/page.ts';
import { createApp } from '../../src/http/app.ts';
import { REQUEST_LIMITS } from '../../src/http/context.ts';
import { listen, type Listening } from '../../src/http/server.ts';
import { fold, type JournalEntry, linkOf } from '../../src/journal/index.ts';
import { createGate } from '../../src/service/access/prove.ts';
import { createToken } from '../../src/service/access/tokens.ts';
import { journalOf } from '../support/journal.ts';
import { aStackFile, type TestService, testService } from '../support/service.ts';
import { barriers, openPage, startBrowser } from './support/browser.ts';

/** The journal of a real run, of a format that is kept for ever. */
const RECORDED = join(import.meta.dirname, '..', 'histories', 'format-2-succeeded.json');
/** In the middle of applying. */
const FIRST = 40;

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
  service = await testService({ stacks: { [stack]: aStackFile(), 'medical-kg': aStackFile() } });
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
