import type { Bench } from './bench.ts';
import { sampled } from './figure.ts';
import { serve } from './service.ts';

const ROUNDS = 7;
const STACK = 'looked-at';

/** From typing the address to what can be clicked: a browser with an empty cache each time, on loopback. */
export const page: Bench = {
  name: 'page',
  what: 'the page, opened by a browser that has never seen it',
  async measure({ home, say }) {
    await home.stack(STACK);
    // Browsers and the bundler are for this bench alone.
    const [{ openPage, startBrowser }, { ensurePage }] = await Promise.all([
      import('../../test/web/support/browser.ts'),
      import('../page.ts'),
    ]);
    say('building it');
    await ensurePage();
    const [server, browser] = await Promise.all([serve(home), startBrowser()]);
    try {
      const times: number[] = [];
      for (let round = 0; round <= ROUNDS; round++) {
        const began = performance.now();
        const { page: shown, context } = await openPage(browser, server.url);
        // Clicking waits until the link is there, stands still and takes clicks.
        await shown.getByRole('link', { name: STACK }).first().click({ trial: true });
        times.push(performance.now() - began);
        await context.close();
      }
      // The first one starts the browser's own processes.
      const figure = { name: 'page.interactive', what: 'from the address to a stack that can be clicked', unit: 'ms' };
      return { figures: [sampled({ ...figure, unit: 'ms', atMost: 1000 }, times.slice(1))] };
    } finally {
      await browser.close();
      await server.stop();
    }
  },
};
