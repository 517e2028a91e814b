import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ensurePage } from '../../scripts/page.ts';
import { type Serving, serving } from '../support/serving.ts';
import { echo, serviceOf, type Shop, shop } from '../support/shop.ts';
import { openPage, startBrowser } from '../web/support/browser.ts';

const LONG = { timeout: 120_000 };

let there: Shop;
let service: Serving;
let browser: Browser;
const tokens = { bot: '', lea: '' };

beforeAll(async () => {
  await ensurePage();
  browser = await startBrowser();
  there = await shop(
    'page',
    `  backstay:approvers: { lead: [nobody] }
  backstay:severities:
    SEV-2: { approvers: [lead], expires: 1h }
`,
  );
  await there.import('good', [echo(there.namespace, 'web', { tag: 'v1' }), serviceOf(there.namespace, 'web')]);
  await there.import('bad', [echo(there.namespace, 'web', { tag: 'v2' }), serviceOf(there.namespace, 'web')]);
  await there.machine.ok(['apply', there.name, '--to', 'bad', '--yes']);
  const token = async (name: string, ...more: readonly string[]): Promise<string> => {
    const made = ['token', 'create', name, '--role', 'operator', '--stack', '*', ...more];
    return (await there.machine.json<{ token: string }>(made)).token;
  };
  tokens.bot = await token('bot');
  tokens.lea = await token('lea', '--approves', 'lead');
  service = await serving(there.machine);
}, 300_000);

afterAll(async () => {
  await browser.close();
  await service.stop();
  await there.remove();
});

async function image(): Promise<unknown> {
  const { spec } = await there.get('Deployment', 'web');
  return (spec as { template: { spec: { containers: { image: string }[] } } }).template.spec.containers[0]?.image;
}

it('takes a stack back and forth on a real cluster, asked for by one and agreed to by another', async () => {
  const bad = await image();
  const { page, complaints } = await openPage(browser, `${service.url}/#/stacks/${there.name}`);
  const button = (name: string) => page.getByRole('button', { name, exact: true });
  const dialog = page.getByRole('dialog');
  const signIn = async (token: string): Promise<void> => {
    await page.getByLabel('Token').fill(token);
    await button('Sign in').click();
  };
  await signIn(tokens.bot);
  const live = page.getByRole('region', { name: 'Live and target' });
  await live.getByLabel('Target').selectOption('good');
  await live.getByText(`Deployment ${there.namespace}/web`).waitFor(LONG);
  await page.getByRole('region', { name: 'Health now' }).getByText('ready').first().waitFor(LONG);

  await page.goto(`${service.url}/#/stacks/${there.name}/plan?target=good`);
  await page.getByLabel('Severity').selectOption('SEV-2');
  await page.getByLabel('Reason').fill('errors at 12 %');
  await button('Make the plan').click();
  await page.getByRole('heading', { level: 1, name: 'Roll back to good' }).waitFor(LONG);
  await button('Ask for approval').click();
  await dialog.getByLabel(`Type ${there.name}`).fill(there.name);
  await dialog.getByRole('button', { name: 'Ask for approval' }).click();
  await page.getByText('You may not decide').waitFor(LONG);
  expect(await image()).toBe(bad);

  await button('Sign out').click();
  await signIn(tokens.lea);
  await button('Approve').click();
  await dialog.getByRole('button', { name: 'Approve' }).click();
  await page.getByText(/The run ended: (succeeded|unvalidated)/).waitFor({ ...LONG, state: 'attached' });
  expect(await image()).not.toBe(bad);

  await button('Plan an undo').click();
  await dialog.getByLabel('Reason').fill('it was not the release');
  await dialog.getByRole('button', { name: 'Plan an undo' }).click();
  await page.getByRole('heading', { level: 1, name: /^Undo to/ }).waitFor(LONG);
  await button('Start this run').click();
  await dialog.getByLabel(`Type ${there.name}`).fill(there.name);
  await dialog.getByRole('button', { name: 'Start this run' }).click();
  await page.getByRole('region', { name: 'Timeline' }).waitFor(LONG);
  await page.getByText(/The run ended: (succeeded|unvalidated)/).waitFor({ ...LONG, state: 'attached' });
  expect(await image()).toBe(bad);
  expect(complaints).toEqual([]);
}, 400_000);
