import { readFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { NOTICE_PLACEHOLDERS, NOTICES } from '../../../src/model/index.ts';
import { channelOf } from '../../../src/service/notify/channels/index.ts';

const SECRET = 'whsec_0123456789abcdef';
const NOW = Date.parse('2026-03-01T03:00:00.000Z');
let page: string;

beforeAll(async () => {
  page = await readFile(join(import.meta.dirname, '../../../docs/notifications.md'), 'utf8');
});

type Verify = (headers: Readonly<Record<string, string>>, body: string, secret: string, now: number) => boolean;

/** The code of the page, as a receiver would copy it. */
async function documented(): Promise<Verify> {
  const code = /```js\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
  const folder = await mkdtemp(join(tmpdir(), 'backstay-docs-'));
  try {
    const file = join(folder, 'verify.mjs');
    await writeFile(file, code);
    const module = (await import(/* @vite-ignore */ pathToFileURL(file).href)) as { readonly isFromBackstay: Verify };
    return module.isFromBackstay;
  } finally {
    await rm(folder, { recursive: true });
  }
}

describe('docs/notifications.md', () => {
  test('shows receivers how to verify what really is sent, and how to refuse all else', async () => {
    const sent: { headers: Readonly<Record<string, string>>; body: string }[] = [];
    const channel = channelOf(
      { name: 'it', kind: 'webhook', url: 'http://receiver.example', secret: { env: 'SECRET' } },
      {
        clock: { now: () => NOW },
        keys: { read: async () => SECRET },
        http: {
          request: async ({ headers = {}, body }) => {
            sent.push({ headers, body: String(body) });
            return { status: 204, headers: {}, body: '' };
          },
        },
      },
    );
    const values = { reason: 'naïve ✓' };
    await channel.send(
      {
        id: 'e',
        subject: 'r1',
        notice: 'run.ended',
        stack: 's',
        at: '2026-03-01T02:00:00.000Z',
        effect: 'closes',
        title: 't',
        text: '',
        values,
      },
      { repeated: false, signal: new AbortController().signal },
    );
    const [{ headers, body } = { headers: {}, body: '' }] = sent;
    const isFromBackstay = await documented();
    expect(isFromBackstay(headers, body, SECRET, NOW)).toBe(true);
    expect(isFromBackstay(headers, `${body} `, SECRET, NOW)).toBe(false);
    expect(isFromBackstay(headers, body, `${SECRET}x`, NOW)).toBe(false);
    expect(isFromBackstay(headers, body, SECRET, NOW + 600_000)).toBe(false);
    expect(isFromBackstay({ ...headers, 'backstay-timestamp': '1772334001' }, body, SECRET, NOW)).toBe(false);
    expect(isFromBackstay({}, body, SECRET, NOW)).toBe(false);
  });

  test('names every notice and every placeholder', () => {
    for (const notice of NOTICES) expect(page).toContain(`| \`${notice}\` |`);
    for (const name of NOTICE_PLACEHOLDERS) expect(page).toContain(`\`${name}\``);
  });
});
