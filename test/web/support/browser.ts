import { AxeBuilder } from '@axe-core/playwright';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { findChromium } from '../../../src/toolchain/chromium.ts';

export async function startBrowser(): Promise<Browser> {
  const executablePath = await findChromium();
  // The sandbox of the browser needs rights that root in a container does not have; it loads nothing but our own page.
  return await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
}

export type Theme = 'light' | 'dark';

export interface Opened {
  readonly page: Page;
  readonly context: BrowserContext;
  /** What the page complained about: errors, and breaches of the policy. */
  readonly complaints: string[];
}

export async function openPage(
  browser: Browser,
  url: string,
  options: { readonly theme?: Theme; readonly width?: number; readonly height?: number } = {},
): Promise<Opened> {
  const context = await browser.newContext({
    colorScheme: options.theme ?? 'light',
    viewport: { width: options.width ?? 1280, height: options.height ?? 900 },
    reducedMotion: 'reduce',
  });
  context.setDefaultTimeout(20_000);
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    // The browser itself tells of every answer that is none; tests of such answers expect them.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
      complaints.push(message.text());
  });
  await page.goto(url);
  return { page, context, complaints };
}

const EVERYTHING = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/**
 * What breaks a rule of WCAG 2.2 A and AA that a machine can check, one line each. `colours`: only what other colours can
 * break.
 */
export async function barriers(page: Page, where: string, what: 'all' | 'colours' = 'all'): Promise<readonly string[]> {
  // The other mode opens a page of its own each time, for the sake of frames from elsewhere; we have none.
  const axe = new AxeBuilder({ page }).setLegacyMode();
  const asked = what === 'all' ? axe.withTags(EVERYTHING) : axe.withRules(['color-contrast', 'link-in-text-block']);
  const { violations } = await asked.analyze();
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${where}: ${id} at ${target.join(' ')}: ${failureSummary ?? ''}`),
  );
}

/** By how many pixels the page is wider than the screen: a phone scrolls in one direction. */
export async function pixelsTooWide(page: Page): Promise<number> {
  return await page.evaluate<number>('document.documentElement.scrollWidth - document.documentElement.clientWidth');
}
