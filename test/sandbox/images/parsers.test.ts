import { readFile } from 'node:fs/promises';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { wordSimilarity } from '../../../src/checks/similarity.ts';
import { markdownOf } from '../../../src/sandbox/images/docling-vlm/markdown.ts';
import { loadModel } from '../../../src/sandbox/images/docling-vlm/model.ts';
import { createDocling } from '../../../src/sandbox/images/docling-vlm/server.ts';
import { call } from '../../../src/sandbox/images/kit/call.ts';
import { parseMetrics, sumOf } from '../../../src/sandbox/images/kit/metrics.ts';
import { createMineru } from '../../../src/sandbox/images/mineru-parser/server.ts';
import { CANARIES } from '../../../src/sandbox/images/pdf/canary-texts.ts';
import { readPdf } from '../../../src/sandbox/images/pdf/fragments.ts';
import { drawCanary, recordDocling } from '../../../src/sandbox/images/pdf/make-canaries.ts';
import { plainText } from '../../../src/sandbox/images/pdf/plain-text.ts';
import { Started, temporaryFolder } from './support.ts';

const COMMITTED = new URL('../../../examples/medical-kg/canaries/', import.meta.url);
const pdfOf = async (name: string): Promise<Buffer> => await readFile(new URL(`${name}.pdf`, COMMITTED));
const recordOf = async (name: string): Promise<{ text: string }> =>
  JSON.parse(await readFile(new URL(`${name}.docling.json`, COMMITTED), 'utf8')) as { text: string };

const started = new Started();
const folder = temporaryFolder();
afterAll(async () => {
  await started.stop();
  folder.remove();
});

describe.each(CANARIES)('the canary document $name', (canary) => {
  test(`${canary.name} is what its script makes, byte for byte, and so is the recorded Docling result`, async () => {
    const committed = await pdfOf(canary.name);
    expect(Buffer.from(await drawCanary(canary)).equals(committed)).toBe(true);
    expect(await recordOf(canary.name)).toEqual(await recordDocling(committed));
  });

  test(`${canary.name} holds the words of its text in reading order, once hyphenation is undone`, async () => {
    const { text } = await recordOf(canary.name);
    for (const piece of canary.pieces) {
      if (piece.kind === 'text')
        expect(text.replace(/\s+/g, ' ')).toContain(piece.text.replaceAll('~', '').slice(0, 60));
      if (piece.kind === 'heading') expect(text).toContain(`## ${piece.text}\n`);
      if (piece.kind === 'table') expect(text).toContain(piece.rows.map((row) => `| ${row.join(' | ')} |`)[1]);
    }
    expect(text.startsWith(`# ${canary.title}\n`)).toBe(true);
    expect(text).not.toContain('Registry report');
  });

  test(`${canary.name} gives nearly the same words from both parsers, in different forms`, async () => {
    const plain = plainText(await readPdf(await pdfOf(canary.name)));
    const { text } = await recordOf(canary.name);
    expect(await wordSimilarity(plain, text)).toBeGreaterThanOrEqual(0.95);
    expect(plain).not.toBe(text);
    expect(plain).not.toMatch(/^#|^\|/m);
  });
});

test('a word hyphenated at the end of a line stays in two for MinerU and is joined by Docling', async () => {
  const plain = plainText(await readPdf(await pdfOf('canary-one')));
  expect(plain).toContain('measure-\nment');
  expect((await recordOf('canary-one')).text).toContain('next measurement.');
});

test('the words of two different documents are told apart by the similarity that the canaries are judged by', async () => {
  const [one, two] = CANARIES.map(({ name }) => name);
  const plain = plainText(await readPdf(await pdfOf(one ?? '')));
  expect(await wordSimilarity(plain, (await recordOf(two ?? '')).text)).toBeLessThan(0.5);
});

test('a page with one column is read line by line, and no table is made of its words', () => {
  const found = loadModel('layout-1');
  if (!found.loaded) throw new TypeError(found.reason);
  const line = (text: string, y: number) => ({ text, x: 50, y, width: 400, size: 10 });
  const page = {
    width: 595,
    height: 842,
    fragments: [line('First of two', 700), line('lines.', 688), line('Another paragraph.', 650)],
  };
  expect(markdownOf([page], found.model)).toBe('First of two lines.\n\nAnother paragraph.\n');
});

describe('the parser services', () => {
  test('answer with text, and reject what is no PDF without calling it their own failure', async () => {
    const { url } = await started.service((deps) => createMineru({}, deps));
    const answer = await call(`${url}/v1/parse`, { method: 'POST', body: await pdfOf('canary-one') });
    expect(answer.json).toMatchObject({ backend: 'mineru', format: 'text', pages: 1, title: CANARIES[0]?.title });
    expect((await call(`${url}/v1/parse`, { method: 'POST', body: '%PDF-1.4 and no more' })).status).toBe(422);
    const samples = parseMetrics((await call(`${url}/metrics`)).text);
    expect(sumOf(samples, 'mineru_documents_total', { outcome: 'ok' })).toBe(1);
    expect(sumOf(samples, 'mineru_documents_total', { outcome: 'error' })).toBeUndefined();
  });

  test('docling without its model is unhealthy, says so in its metrics and parses nothing', async () => {
    const faults = join(folder.path, 'docling.json');
    const { url } = await started.service((deps) => createDocling({ BACKSTAY_POD_FAULTS: faults }, deps));
    const loaded = async (): Promise<number | undefined> =>
      sumOf(parseMetrics((await call(`${url}/metrics`)).text), 'docling_vlm_model_loaded');
    expect([(await call(`${url}/health`)).status, await loaded()]).toEqual([200, 1]);
    writeFileSync(faults, '{"unavailable": true}');
    expect([(await call(`${url}/health`)).status, (await call(`${url}/live`)).status, await loaded()]).toEqual([
      503, 200, 0,
    ]);
    expect((await call(`${url}/v1/parse`, { method: 'POST', body: await pdfOf('canary-one') })).status).toBe(503);
    const lost = await started.service((deps) => createDocling({ DOCLING_MODEL: 'layout-9' }, deps));
    expect((await call(`${lost.url}/health`)).json).toMatchObject({ reason: 'there is no model layout-9' });
  });

  test('an error rate makes documents fail, and they are counted as failed', async () => {
    const faults = join(folder.path, 'failing.json');
    writeFileSync(faults, '{"errorRate": 0.6}');
    const rolls = [0.1, 0.9];
    const { url } = await started.service((deps) =>
      createDocling({ BACKSTAY_POD_FAULTS: faults }, { ...deps, random: () => rolls.shift() ?? 1 }),
    );
    const body = await pdfOf('canary-one');
    const status = async (): Promise<number> => (await call(`${url}/v1/parse`, { method: 'POST', body })).status;
    expect([await status(), await status()]).toEqual([500, 200]);
    const samples = parseMetrics((await call(`${url}/metrics`)).text);
    expect(sumOf(samples, 'docling_vlm_documents_total', { outcome: 'error' })).toBe(1);
  });
});
