import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { barriers, pixelsTooWide } from './support/browser.ts';
import { TOKEN } from './support/fixture.ts';
import { button, focused, heading, inDialog, playing } from './support/playing.ts';
import { WATCHED } from './support/story-stack.ts';
import { PLAN, PROPOSAL, RUN, STACK, UNDO_PLAN, UNDO_RUN } from './support/story.ts';

const night = playing();
const { open, atWork } = night;

describe('from an alert to a rollback that is proven, and back again', () => {
  it('is one way by the mouse, over a connection that breaks off in the middle', async () => {
    const page = await open();
    await page.getByRole('region', { name: 'Waits for somebody' }).getByRole('link', { name: STACK }).click();
    await heading(page, 'Proposed: back to v2.7.4').waitFor();
    await page.getByText('checkout answers 12 % of requests').waitFor();
    expect(await page.getByRole('link', { name: 'runbook' }).count()).toBe(1);
    expect(await page.getByText('column cart.v2_state with 118 filled rows').count()).toBeGreaterThan(0);

    await button(page, 'Accept and start').click();
    const start = inDialog(page).getByRole('button', { name: 'Accept and start' });
    expect(await start.isDisabled()).toBe(true);
    await inDialog(page).getByLabel(`Type ${STACK}`).fill(STACK);
    await start.click();

    await page.getByRole('region', { name: 'Waits for an approval' }).waitFor();
    await button(page, 'Approve').click();
    await inDialog(page).getByRole('button', { name: 'Approve' }).click();
    await page.locator('[aria-current=step]', { hasText: 'applied' }).waitFor();
    const approval = night.fixture.world.asked.find(({ call }) => call.endsWith('/approval'));
    expect(approval).toMatchObject({ body: { decision: 'approved', plan: PLAN.hash }, ifMatch: '"1"' });
    expect(approval?.key).toMatch(/^[0-9a-f]{32}$/);
    await page.getByRole('img', { name: /checkout: up .* down/ }).waitFor();

    const heard = night.fixture.world.runs.get(RUN)?.events.length;
    night.fixture.away();
    await page.getByText('The run goes on without it.').waitFor();
    await page.getByText('Offline.').waitFor();
    night.fixture.finish();
    night.fixture.back();
    await page.getByText('The run ended: succeeded').waitFor({ state: 'attached' });
    expect(night.fixture.world.streams).toEqual(['', String(heard)]);
    await page.getByText('Offline.').waitFor({ state: 'detached' });
    expect(await page.title()).toBe(`succeeded: ${STACK} · Backstay`);
    const lines = await page.getByRole('list', { name: 'What the run said' }).getByRole('listitem').allTextContents();
    expect(lines.filter((line) => line.includes('phase applied'))).toHaveLength(1);
    expect(await page.getByRole('link', { name: 'Report' }).getAttribute('href')).toBe(`/v1/runs/${RUN}/report`);

    await button(page, 'Plan an undo').click();
    await inDialog(page).getByLabel('Reason').fill('the old version is worse');
    await inDialog(page).getByRole('button', { name: 'Plan an undo' }).click();
    await heading(page, 'Undo to before').waitFor();
    await button(page, 'Ask for approval').click();
    await inDialog(page).getByLabel(`Type ${STACK}`).fill(STACK);
    await inDialog(page).getByRole('button', { name: 'Ask for approval' }).click();
    await page.getByText(UNDO_RUN).waitFor();
    expect(night.fixture.world.asked.slice(-2).map(({ call, body }) => [call, body])).toEqual([
      [`POST /v1/runs/${RUN}/undo`, { reason: 'the old version is worse' }],
      [`POST /v1/runs/${RUN}/undo`, { plan: UNDO_PLAN.hash }],
    ]);
  });

  it('is one way by the keyboard alone', async () => {
    const page = await open();
    await heading(page, 'Stacks').waitFor();
    await page.getByRole('link', { name: 'documents' }).waitFor();
    await page.keyboard.press('Tab');
    expect(await focused(page)).toBe('Skip to the content');
    await page.keyboard.press('Enter');
    await tabTo(page, STACK);
    await page.keyboard.press('Enter');
    await heading(page, STACK).waitFor();
    await button(page, 'Capture now').waitFor();
    await page.keyboard.press('p');
    await heading(page, 'Plan a rollback').waitFor();
    await page.getByLabel('Severity').waitFor();
    await tabTo(page, 'target');
    await tabTo(page, 'reason');
    await page.keyboard.type('errors? at 12 %');
    await page.keyboard.press('Enter');
    await heading(page, 'Roll back to v2.7.4').waitFor();
    await tabTo(page, 'Ask for approval');
    await page.keyboard.press('Enter');
    await inDialog(page).waitFor();
    await page.keyboard.press('Escape');
    await inDialog(page).waitFor({ state: 'detached' });
    expect(await focused(page)).toBe('Ask for approval');
    await page.keyboard.press('Enter');
    await inDialog(page).waitFor();
    await tabTo(page, `Type ${STACK} to go on`);
    await page.keyboard.type(STACK);
    await page.keyboard.press('Enter');
    await page.getByRole('region', { name: 'Waits for an approval' }).waitFor();
    // What the run is called is another answer than what it waits for.
    await heading(page, 'Rollback to v2.7.4').waitFor();
    expect(await focused(page)).toBe('Rollback to v2.7.4');
    const [plan, run] = night.fixture.world.asked;
    expect(plan?.body).toMatchObject({
      target: 'known-good',
      scope: { kind: 'full' },
      options: { reason: 'errors? at 12 %' },
    });
    expect(run?.body).toEqual({ plan: PLAN.hash });
  });
});

it('goes on with a run that ended mixed, and sees what becomes of it', async () => {
  atWork();
  const page = await open(`#/runs/${RUN}`);
  await page.getByText('1 of 3 pods ready').first().waitFor();
  expect(await button(page, 'Resume').count()).toBe(0);
  night.fixture.world.go(RUN, [
    { type: 'run.ended', outcome: 'mixed', reason: 'the engine broke off', durationMs: 30_000 },
  ]);
  await page.getByText('the engine broke off').first().waitFor();
  await button(page, 'Resume').click();
  await inDialog(page).getByRole('button', { name: 'Resume' }).click();
  await page.getByText('somebody goes on with it').waitFor();
  expect(await button(page, 'Cancel').count()).toBe(1);
  night.fixture.finish();
  await page.getByText('The run ended: succeeded').waitFor({ state: 'attached' });
  expect(await page.getByText('12 of 12 steps').count()).toBe(1);
});

it('reads once what it shows, and anew when it has begun to hear of changes', async () => {
  const page = await open();
  const paths: string[] = [];
  page.on('request', (request) => {
    const { pathname, search } = new URL(request.url());
    paths.push(pathname + search);
  });
  await page.clock.install();
  const heard = page.waitForResponse('**/v1/events');
  await page.reload();
  await heard;
  // No faster than need be: a page whose time goes on without its machine takes the silence for a lost connection.
  await expect
    .poll(async () => {
      await page.clock.runFor(250);
      return paths.filter((path) => path === '/v1/stacks').length;
    })
    .toBe(2);
  paths.length = 0;
  await page.getByRole('link', { name: STACK, exact: true }).first().click();
  await page.getByText('users were not served').first().waitFor();
  await expect.poll(() => paths.some((path) => path.startsWith(`/v1/stacks/${STACK}/compare?`))).toBe(true);
  await page.clock.runFor(12_000);
  expect(paths.filter((path, i) => paths.indexOf(path) !== i)).toEqual([]);
});

describe('whoever may not', () => {
  it('act sees everything, and is offered nothing', async () => {
    night.fixture.world.mayAct = false;
    atWork();
    const page = await open(`#/runs/${RUN}`);
    await page.getByText('You may watch this stack.').waitFor();
    await page.getByText('1 of 3 pods ready').first().waitFor();
    expect(await button(page, 'Cancel').count()).toBe(0);
    await page.goto(`${night.fixture.url}/#/stacks/${STACK}`);
    await heading(page, STACK).waitFor();
    await page.getByText('You may watch this stack.').waitFor();
    expect(await page.getByRole('link', { name: 'Plan a rollback', exact: true }).count()).toBe(0);
  });

  it('signs in with a token, which the page does not keep', async () => {
    night.fixture.world.isLocked = true;
    const page = await open();
    await heading(page, 'Sign in').waitFor();
    await page.getByLabel('Token').fill('bst_wrong');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').getByText('This token is not known.').waitFor();
    await page.getByLabel('Token').fill(TOKEN);
    await button(page, 'Sign in').click();
    await heading(page, 'Stacks').waitFor();
    await page.getByRole('link', { name: STACK }).first().waitFor();
    const kept = await page.evaluate<string>(
      'JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, document.documentElement.outerHTML])',
    );
    expect(kept).not.toContain(TOKEN);
    // The stream of changes began anew as well: what happens elsewhere is seen here.
    night.fixture.begin();
    await page.getByRole('region', { name: 'Waits for somebody' }).getByText('platform-lead or cto').waitFor();
  });

  it('sees why an approval was refused because somebody was first', async () => {
    night.fixture.begin();
    const page = await open(`#/runs/${RUN}`);
    await button(page, 'Approve').click();
    const run = night.fixture.world.runs.get(RUN);
    if (run !== undefined) run.etag = 9;
    await inDialog(page).getByRole('button', { name: 'Approve' }).click();
    await inDialog(page).getByRole('alert').getByText('Somebody was first.').waitFor();
    expect(run?.state).toBe('waiting');
  });
});

describe('every screen', () => {
  const SCREENS: readonly (readonly [name: string, path: string, ...shows: string[]])[] = [
    ['stacks', '', 'Waits for somebody'],
    ['stack', `#/stacks/${STACK}`, 'users were not served', 'restored beside', 'It last went well'],
    ['new plan', `#/stacks/${STACK}/plan?target=v2.7.3`, 'Severity'],
    ['plan', `#/plans/${PLAN.hash}`, 'What is done'],
    ['proposal', `#/proposals/${PROPOSAL}`, 'What changes', 'proposal opened'],
    ['run', `#/runs/${RUN}`, '1 of 3 pods ready', 'audit answers 410'],
    ['nowhere', '#/nowhere/at/all', 'There is no such page'],
  ];

  async function show(page: Page, [, path, ...shows]: (typeof SCREENS)[number]): Promise<void> {
    await page.goto(`${night.fixture.url}/${path}`);
    for (const text of shows) await page.getByText(text).first().waitFor();
  }

  it.each([
    ['light', 'all'],
    ['dark', 'colours'],
  ] as const)('is read by everybody, in %s colours', async (theme, what) => {
    atWork();
    const found: string[] = [];
    const page = await open('', { theme });
    for (const screen of SCREENS) {
      await show(page, screen);
      found.push(...(await barriers(page, `${screen[0]}, ${theme}`, what)));
    }
    await page.goto(`${night.fixture.url}/#/runs/${RUN}`);
    night.fixture.finish();
    night.fixture.world.go(RUN, WATCHED());
    await page.getByText('the logs of orders cannot be read').first().waitFor();
    found.push(...(await barriers(page, `run that is watched, ${theme}`, what)));
    await page.keyboard.press('?');
    await inDialog(page).getByText('this list').waitFor();
    found.push(...(await barriers(page, `help, ${theme}`, what)));
    expect(found).toEqual([]);
  });

  it('fits a phone, and a finished run and a question do as well', async () => {
    atWork();
    const found: string[] = [];
    const wide: Record<string, number> = {};
    const page = await open('', { width: 360, height: 740 });
    for (const screen of SCREENS) {
      await show(page, screen);
      wide[screen[0]] = await pixelsTooWide(page);
    }
    await page.goto(`${night.fixture.url}/#/runs/${RUN}`);
    night.fixture.finish();
    night.fixture.world.go(RUN, WATCHED());
    await page.getByRole('link', { name: 'Evidence' }).waitFor();
    await page.getByText('the logs of orders cannot be read').first().waitFor();
    wide['finished run'] = await pixelsTooWide(page);
    found.push(...(await barriers(page, 'finished run on a phone')));
    await button(page, 'Finalize').click();
    await inDialog(page).waitFor();
    wide['question'] = await pixelsTooWide(page);
    found.push(...(await barriers(page, 'question on a phone')));
    expect(found).toEqual([]);
    expect(Object.entries(wide).filter(([, pixels]) => pixels > 0)).toEqual([]);
  });

  it('has the colours that were chosen, and keeps them', async () => {
    const page = await open('', { theme: 'light' });
    await heading(page, 'Stacks').waitFor();
    const ground = async () => await page.evaluate<string>('getComputedStyle(document.body).backgroundColor');
    const light = await ground();
    await page.keyboard.press('t');
    await page.getByRole('button', { name: /Colours: light/ }).waitFor();
    expect(await ground()).toBe(light);
    await page.keyboard.press('t');
    await page.getByRole('button', { name: /Colours: dark/ }).waitFor();
    expect(await ground()).not.toBe(light);
    await page.reload();
    await page.getByRole('button', { name: /Colours: dark/ }).waitFor();
    expect(await ground()).not.toBe(light);
  });
});

describe('these checks themselves', () => {
  it('see a barrier, and a page that is too wide', async () => {
    const page = await night.openAt('about:blank');
    await page.setContent('<main><h1 style="color:#ddd;background:#fff">Pale</h1><input><p style="width:2000px">x');
    const found = await barriers(page, 'broken');
    expect(found.some((line) => line.includes('color-contrast'))).toBe(true);
    expect(found.some((line) => line.includes('label'))).toBe(true);
    expect((await barriers(page, 'broken', 'colours')).some((line) => line.includes('color-contrast'))).toBe(true);
    expect(await pixelsTooWide(page)).toBeGreaterThan(500);
  });
});

/** Goes on with Tab until that has the focus; it must be on the way. */
async function tabTo(page: Page, name: string): Promise<void> {
  const seen: string[] = [];
  while (seen.length < 60) {
    await page.keyboard.press('Tab');
    const now = await focused(page);
    if (now === name) return;
    seen.push(now);
  }
  expect.fail(`${name} is not reached by Tab; these are: ${seen.join(' | ')}`);
}
