import type { Locator, Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { button, focused, heading, inDialog, playing, region } from './support/playing.ts';
import { DELIVERIES, DISTURBED, PROVEN, SCHEDULES, UNDISTURBED, WATCHED } from './support/story-stack.ts';
import { before, PLAN, PROPOSAL, RUN, STACK, UNDO_RUN } from './support/story.ts';

const night = playing();
const { open, atWork } = night;

/** Lets the page's clock run until the text is there, or gone: what the page asks for by the clock comes without waiting. */
async function until(page: Page, holds: () => Promise<boolean>): Promise<void> {
  await expect
    .poll(
      async () => {
        await page.clock.runFor(1_000);
        return await holds();
      },
      { timeout: 30_000, interval: 100 },
    )
    .toBe(true);
}

/** What is written in each, on one line. */
async function said(items: Locator): Promise<readonly string[]> {
  const texts = await items.evaluateAll((all) => all.map(({ innerText }) => innerText));
  return texts.map((text) => text.replaceAll(/\s+/g, ' ').trim());
}

/** The paths that a page reads. */
function readings(page: Page): string[] {
  const paths: string[] = [];
  page.on('request', (request) => {
    if (request.method() === 'GET') paths.push(new URL(request.url()).pathname);
  });
  return paths;
}

describe('what a service does by itself', () => {
  it('is shown with when it is done next, and how it went', async () => {
    const page = await open(`#/stacks/${STACK}`);
    const schedules = region(page, 'By itself').getByRole('listitem');
    await schedules.first().waitFor();
    expect(await said(schedules)).toEqual([
      'succeeded nightly captures the stack every day last 3 h ago · next in 21 h',
      `failed proof proves the newest backup every 30 days last 12 days ago · next in 18 days ${SCHEDULES[1]?.last?.message} BACKUP_DAMAGED It last went well 42 days ago.`,
      'not yet tidy removes what is past its retention every 6 h no service has seen it yet',
    ]);
    expect(await schedules.nth(2).locator('.badge').getAttribute('data-tone')).toBe('unknown');
  });

  it('is seen at work, and the snapshot that it made as well, although nobody tells of it', async () => {
    const page = await open(`#/stacks/${STACK}`);
    const paths = readings(page);
    await region(page, 'By itself').waitFor();
    await page.clock.install();
    const { world } = night.fixture;
    const [nightly, ...others] = SCHEDULES;
    const badge = region(page, 'By itself').getByRole('listitem').first();
    world.schedules = [{ ...nightly!, nextAt: before(1) }, ...others];
    world.changed({});
    await until(page, async () => (await badge.innerText()).includes('overdue'));
    world.schedules = [{ ...nightly!, nextAt: before(1), isFiring: true }, ...others];
    await until(page, async () => (await badge.innerText()).includes('at it now'));
    const read = (): number => paths.filter((path) => path.endsWith('/snapshots')).length;
    const readBefore = read();
    world.schedules = [{ ...nightly!, last: { at: before(0), outcome: 'succeeded' } }, ...others];
    await until(page, async () => !/at it now|last 3 h ago/.test(await badge.innerText()));
    await until(page, async () => await Promise.resolve(read() > readBefore));
    expect(await badge.locator('.badge').getAttribute('data-tone')).toBe('good');
  });
});

describe('a backup', () => {
  it('is proven by the keyboard: the store is chosen, the drill is seen at work, and what came of it', async () => {
    const page = await open(`#/stacks/${STACK}`);
    const backups = region(page, 'Backups');
    await backups.getByText('no drill has proven a backup').waitFor();
    expect(await backups.getByText('last proven 42 days ago').count()).toBe(1);
    await page.clock.install();
    await button(page, 'Prove a backup').focus();
    await page.keyboard.press('Enter');
    await inDialog(page).getByLabel('Data store').focus();
    await page.keyboard.press('ArrowDown');
    await inDialog(page).getByRole('button', { name: 'Prove a backup' }).focus();
    await page.keyboard.press('Enter');
    await inDialog(page).waitFor({ state: 'detached' });
    expect(await focused(page)).toBe('Prove a backup');
    await until(page, async () => (await backups.getByText('running', { exact: true }).count()) === 2);
    expect(await focused(page)).toBe('Prove a backup');
    const [asked] = night.fixture.world.asked;
    expect([asked?.call, asked?.body]).toEqual([`POST /v1/stacks/${STACK}/drills`, { store: 'sessions' }]);

    night.fixture.world.endDrill({ state: 'proven', result: PROVEN });
    await until(page, async () => (await backups.getByText(/last proven (just now|\d+ min ago)/).count()) === 1);
    expect(await backups.getByText('no drill has proven a backup').count()).toBe(0);
    expect(await backups.getByText('restored beside: 81204 rows in 31 tables').count()).toBe(2);
    expect(await backups.getByRole('status').textContent()).toBe('The newest drill, of sessions: proven.');
  });

  it('is proven once when the answer is lost and somebody asks again, and another one is another wish', async () => {
    const page = await open(`#/stacks/${STACK}`);
    await page.route('**/drills', async (route) => {
      if (route.request().method() !== 'POST') return await route.fallback();
      await route.fetch();
      await route.abort();
    });
    await button(page, 'Prove a backup').click();
    const prove = inDialog(page).getByRole('button', { name: 'Prove a backup' });
    const send = async (nth: number): Promise<void> => {
      await prove.click();
      await expect.poll(() => night.fixture.world.asked.length, { timeout: 20_000 }).toBe(nth);
      await inDialog(page).getByRole('alert').getByText('The service cannot be reached.').waitFor();
    };
    await send(1);
    await send(2);
    await inDialog(page).getByLabel('Data store').selectOption('sessions');
    await send(3);
    const [first, second, third] = night.fixture.world.asked;
    expect(first?.key).toMatch(/^[0-9a-f]{32}$/);
    expect(second).toEqual(first);
    expect(third?.key).not.toBe(first?.key);
    expect(third?.body).toEqual({ store: 'sessions' });
  });

  it('is not offered to be proven to whoever may only watch', async () => {
    night.fixture.world.mayAct = false;
    const page = await open(`#/stacks/${STACK}`);
    await page.getByText('You may watch this stack.').waitFor();
    await region(page, 'Backups').getByText('last proven 42 days ago').waitFor();
    expect(await button(page, 'Prove a backup').count()).toBe(0);
  });
});

describe('who was told', () => {
  it('of a run is shown, and who could not be, until there is nothing to wait for', async () => {
    atWork();
    const page = await open(`#/runs/${RUN}`);
    await page.clock.install();
    await page.reload();
    const told = region(page, 'Told');
    await told.getByText('1 told, 1 not told, 1 owed').waitFor();
    const lines = told.getByRole('listitem');
    const when = /just now|\d+ min ago|in \d+ min/g;
    expect((await said(lines)).map((line) => line.replaceAll(when, '…'))).toEqual([
      'delivered on-call approval needed …',
      'refused audit approval needed … audit answers 410',
      'due tickets run started … · again … tickets answers 503 · 3 attempts',
    ]);
    const { world } = night.fixture;
    const { dueAt: _over, because: _why, ...tickets } = DELIVERIES[3]!;
    world.deliveries = [...DELIVERIES.slice(0, 3), { ...tickets, state: 'delivered', settledAt: before(0) }];
    await page.clock.fastForward(60_000);
    await until(page, async () => (await told.getByText('2 told, 1 not told').count()) === 1);
    expect(await told.getByText('owed').count()).toBe(0);
  });

  it('of a proposal is shown with it, and nothing where nobody is to be told', async () => {
    const page = await open(`#/proposals/${PROPOSAL}`);
    await region(page, 'Told').getByText('proposal opened').waitFor();
    night.fixture.world.create(UNDO_RUN, PLAN);
    await page.goto(`${night.fixture.url}/#/runs/${UNDO_RUN}`);
    await heading(page, /Rollback/).waitFor();
    await region(page, 'Said').waitFor();
    expect(await region(page, 'Told').count()).toBe(0);
  });
});

describe('the time after a run', () => {
  it('is watched on its screen: what, until when, and what was found', async () => {
    atWork();
    const page = await open(`#/runs/${RUN}`);
    await page.getByText('1 of 3 pods ready').first().waitFor();
    night.fixture.finish();
    await page.getByText('The run ended: succeeded').waitFor({ state: 'attached' });
    expect(await region(page, 'Watched afterwards').count()).toBe(0);

    // The stream of the run is over; what comes after it is heard all the same.
    night.fixture.world.go(RUN, WATCHED());
    const watched = region(page, 'Watched afterwards');
    await watched.getByText('watching').waitFor();
    expect(await watched.getByText(/until in \d+ min/).count()).toBe(1);
    const lines = watched.getByRole('listitem').locator('.line');
    expect(await said(lines)).toEqual([
      'pass watch checkout-errors 0.2 % of requests fail',
      'pass check catalogue 20 of 20 requests answered',
      'unknown logs the logs of orders cannot be read',
      'unknown neighbours billing not measured yet',
    ]);

    night.fixture.world.go(RUN, DISTURBED());
    await watched.getByText('Deployment billing/invoices: 0 of 2 pods ready').first().waitFor();
    night.fixture.world.go(RUN, UNDISTURBED());
    await watched.getByText('neighbours billing failed for a while').waitFor();
    expect(await watched.getByText(/Failed at .*: Deployment billing\/invoices/).count()).toBe(1);
    expect(await watched.getByRole('img', { name: /^neighbours billing: passed for .* failed for / }).count()).toBe(1);
    await page.getByText('Watched afterwards: disturbed.').waitFor({ state: 'attached' });
    expect(await heading(page, /Rollback/).count()).toBe(1);
    expect(await page.title()).toBe(`succeeded: ${STACK} · Backstay`);
    // A stream that is over goes on behind what was heard, and is not asked for again and again.
    const [first, ...others] = night.fixture.world.streams;
    expect([first, others.every((id) => Number(id) > 0)]).toEqual(['', true]);
    expect(others.length).toBeLessThanOrEqual(3);
  });
});
