import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { ensurePage } from '../../../scripts/page.ts';
import { type Opened, openPage, startBrowser } from './browser.ts';
import { type Fixture, startFixture } from './fixture.ts';
import { BEGUN, RUN } from './story.ts';

export interface Playing {
  /** Of this test. */
  readonly fixture: Fixture;
  readonly open: (path?: string, options?: Parameters<typeof openPage>[2]) => Promise<Page>;
  /** A page of no service. It is closed with the others. */
  readonly openAt: (url: string) => Promise<Page>;
  /** The run that is begun, approved, and in the middle of its way. */
  readonly atWork: () => void;
}

/** The page, built, in a browser; for each test a service of its own. A page that complains fails its test. */
export function playing(): Playing {
  let browser: Browser;
  let folder: string;
  let fixture: Fixture;
  const opened: Opened[] = [];
  beforeAll(async () => {
    ({ folder } = await ensurePage());
    browser = await startBrowser();
  }, 300_000);
  afterAll(async () => {
    await browser.close();
  });
  beforeEach(async () => {
    fixture = await startFixture(folder);
  });
  afterEach(async () => {
    const complaints = opened.flatMap((one) => one.complaints);
    await Promise.all(opened.splice(0).map(async ({ context }) => await context.close()));
    await fixture.close();
    if (complaints.length > 0) throw new TypeError(`the page complained: ${complaints.join('; ')}`);
  });
  const openAt = async (url: string, options: Parameters<typeof openPage>[2] = {}): Promise<Page> => {
    const one = await openPage(browser, url, options);
    opened.push(one);
    return one.page;
  };
  return {
    get fixture() {
      return fixture;
    },
    openAt,
    open: async (path = '', options = {}) => await openAt(`${fixture.url}/${path}`, options),
    atWork: () => {
      fixture.begin();
      fixture.world.go(RUN, BEGUN());
    },
  };
}

export const heading = (page: Page, name: string | RegExp) => page.getByRole('heading', { level: 1, name });
export const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true });
export const inDialog = (page: Page) => page.getByRole('dialog');
export const region = (page: Page, name: string) => page.getByRole('region', { name, exact: true });

/** What has the focus, as it is called. */
export async function focused(page: Page): Promise<string> {
  return await page.evaluate<string>(
    '(({ activeElement: e }) => (e.labels?.[0]?.textContent ?? e.name ?? "") && (e.name || e.labels[0].textContent.trim()) || e.textContent.trim())(document)',
  );
}
