import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { findChromium } from '../../src/toolchain/chromium.ts';

it('takes the browser that is named, or says that it is none', async () => {
  const found = await findChromium();
  expect(await findChromium({ env: { BACKSTAY_CHROMIUM: found } })).toBe(found);
  await expect(findChromium({ env: { BACKSTAY_CHROMIUM: '/bin/true' } })).rejects.toMatchObject({
    code: 'TOOL_MISSING',
    message: 'BACKSTAY_CHROMIUM names /bin/true, which is no Chromium that runs',
  });
}, 300_000);

it('finds one that draws a page with letters in it, on a machine without a screen', async () => {
  const { stdout } = await promisify(execFile)(await findChromium(), [
    '--no-sandbox',
    '--dump-dom',
    'data:text/html,<p id=a>abc</p><script>a.textContent=a.getBoundingClientRect().height>5</script>',
  ]);
  expect(stdout).toContain('<p id="a">true</p>');
}, 120_000);
