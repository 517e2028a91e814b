/**
 * Makes the pictures of the page for README and docs/page.md, from the story that its tests play: the same night every
 * time. `node scripts/page-pictures.ts [FOLDER]`.
 */
import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { openPage, startBrowser } from '../test/web/support/browser.ts';
import { startFixture } from '../test/web/support/fixture.ts';
import { BEGUN, PLAN, RUN, STACK } from '../test/web/support/story.ts';
import { ensurePage } from './page.ts';

const root = join(import.meta.dirname, '..');
const folder = process.argv[2] ?? join(root, 'docs', 'pictures');

interface Shot {
  readonly name: string;
  readonly path: string;
  readonly shows: string;
  readonly theme: 'light' | 'dark';
  readonly width: number;
  readonly height: number;
}

const SHOTS: readonly Shot[] = [
  { name: 'page-stacks', path: '', shows: 'Waits for somebody', theme: 'dark', width: 1180, height: 520 },
  {
    name: 'page-stack',
    path: `#/stacks/${STACK}`,
    shows: 'users were not served',
    theme: 'light',
    width: 1180,
    height: 1160,
  },
  { name: 'page-plan', path: `#/plans/${PLAN.hash}`, shows: 'What is done', theme: 'light', width: 1180, height: 960 },
  { name: 'page-run', path: `#/runs/${RUN}`, shows: '1 of 3 pods ready', theme: 'dark', width: 1180, height: 900 },
  { name: 'page-phone', path: `#/runs/${RUN}`, shows: '1 of 3 pods ready', theme: 'light', width: 390, height: 844 },
];

const { folder: built } = await ensurePage();
const [fixture, browser] = await Promise.all([startFixture(built), startBrowser()]);
try {
  await mkdir(folder, { recursive: true });
  fixture.begin(52_000);
  fixture.world.go(RUN, BEGUN());
  for (const { name, path, shows, ...options } of SHOTS) {
    const { page, context } = await openPage(browser, `${fixture.url}/${path}`, options);
    await page.getByText(shows).first().waitFor();
    const file = join(folder, `${name}.png`);
    await page.screenshot({ path: file });
    await context.close();
    console.log(`${file} ${((await stat(file)).size / 1024).toFixed(0)} KiB`);
  }
} finally {
  await browser.close();
  await fixture.close();
}
