import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { createAlertmanager } from '../../../src/sandbox/images/alertmanager/server.ts';
import { createDocling } from '../../../src/sandbox/images/docling-vlm/server.ts';
import { probeDocument } from '../../../src/sandbox/images/kg-monitor/probe-document.ts';
import { type AlertName, evaluate, type Probe, type Scrape } from '../../../src/sandbox/images/kg-monitor/rules.ts';
import { AlertSender } from '../../../src/sandbox/images/kg-monitor/sender.ts';
import { createMonitor } from '../../../src/sandbox/images/kg-monitor/server.ts';
import { type Call, call } from '../../../src/sandbox/images/kit/call.ts';
import { createOrchestrator } from '../../../src/sandbox/images/pdf-orchestrator/server.ts';
import { readPdf } from '../../../src/sandbox/images/pdf/fragments.ts';
import { Started, temporaryFolder } from './support.ts';

const started = new Started();
const folder = temporaryFolder();
afterAll(async () => {
  await started.stop();
  folder.remove();
});

const THRESHOLDS = { slowSeconds: 1, successRate: 0.9, leastDocuments: 3 };

function scrape(
  at: number,
  counters: Partial<NonNullable<Scrape['docling']>> | undefined,
  backend = 'docling',
): Scrape {
  const docling =
    counters === undefined ? undefined : { modelLoaded: true, seconds: 0, documents: 0, ok: 0, error: 0, ...counters };
  return { at, backend, docling };
}

function firing(window: readonly Scrape[], probes: readonly Probe[] = []): readonly AlertName[] {
  return evaluate(window, probes, THRESHOLDS).flatMap((finding) => (finding.firing ? [finding.name] : []));
}

describe('the alerts about Docling', () => {
  const healthy = [scrape(0, {}), scrape(1000, { documents: 10, seconds: 2, ok: 10 })];

  test.each<[string, readonly Scrape[], readonly Probe[], readonly AlertName[]]>([
    ['nothing while documents are quick and succeed', healthy, [], []],
    ['nothing without any documents', [scrape(0, {}), scrape(1000, {})], [], []],
    [
      'slow when documents take longer than allowed',
      [scrape(0, {}), scrape(1000, { documents: 2, seconds: 3, ok: 2 })],
      [],
      ['DoclingVLMProcessingSlow'],
    ],
    [
      'slow while a document of the monitor is still under way',
      [scrape(0, {}), scrape(1500, {})],
      [{ startedAt: 0 }],
      ['DoclingVLMProcessingSlow'],
    ],
    [
      'nothing for a document of the monitor that was quick',
      [scrape(0, {}), scrape(5000, {})],
      [{ startedAt: 0, endedAt: 900 }],
      [],
    ],
    [
      'a drop when too few documents succeed',
      [scrape(0, {}), scrape(1000, { documents: 10, ok: 8, error: 2 })],
      [],
      ['DoclingVLMSuccessRateDrop'],
    ],
    [
      'no drop from fewer documents than say anything',
      [scrape(0, {}), scrape(1000, { documents: 2, ok: 1, error: 1 })],
      [],
      [],
    ],
    [
      'no drop from what was before the window',
      [scrape(0, { documents: 50, error: 50 }), scrape(1000, { documents: 53, error: 50, ok: 3 })],
      [],
      [],
    ],
    [
      'a drop counted from zero after a restart',
      [scrape(0, { documents: 90, ok: 90 }), scrape(1000, { documents: 4, ok: 1, error: 3 })],
      [],
      ['DoclingVLMSuccessRateDrop'],
    ],
    [
      'unavailable when the model is not loaded',
      [scrape(0, {}), scrape(1000, { modelLoaded: false })],
      [],
      ['DoclingModelUnavailable'],
    ],
    [
      'unavailable when Docling cannot be reached',
      [scrape(0, {}), scrape(1000, undefined)],
      [],
      ['DoclingModelUnavailable'],
    ],
    [
      'nothing while the backend is another',
      [scrape(0, {}, 'mineru'), scrape(1000, undefined, 'mineru')],
      [{ startedAt: -9000 }],
      [],
    ],
  ])('say %s', (_title, window, probes, expected) => {
    expect(firing(window, probes)).toEqual(expected);
  });
});

describe('telling Alertmanager', () => {
  const finding = (isFiring: boolean) => [{ name: 'DoclingModelUnavailable' as const, firing: isFiring, summary: 's' }];

  test('happens at a change, again while firing, once at the end, and until it was taken', async () => {
    const sent: string[] = [];
    let status = 200;
    const fake: Call = async (_url, options) => {
      sent.push(String(options?.body));
      return await Promise.resolve({ status, headers: {}, text: '', json: undefined });
    };
    const sender = new AlertSender({ alertmanager: 'http://am', labels: {}, resendMs: 5000, call: fake });
    const told = async (isFiring: boolean, now: number): Promise<number> => {
      const before = sent.length;
      await sender.tell(finding(isFiring), now).catch(() => undefined);
      return sent.length - before;
    };
    expect(await told(false, 0)).toBe(0);
    status = 503;
    expect(await told(true, 1000)).toBe(1);
    status = 200;
    expect([await told(true, 2000), await told(true, 6900), await told(true, 7000)]).toEqual([1, 0, 1]);
    expect([await told(false, 8000), await told(false, 20_000)]).toEqual([1, 0]);
    const [first, , , last] = sent.map((body) => (JSON.parse(body) as { startsAt: string; endsAt: string }[])[0]);
    expect(first).toMatchObject({ startsAt: new Date(1000).toISOString(), endsAt: new Date(21_000).toISOString() });
    expect(last).toMatchObject({ startsAt: new Date(1000).toISOString(), endsAt: new Date(8000).toISOString() });
  });
});

test('the document that the monitor sends is a PDF that can be read', async () => {
  const [page] = await readPdf(probeDocument());
  expect(page?.fragments.map(({ text }) => text).join('')).toBe('A probe of the monitor: are documents read?');
});

test('the monitor sees a real Docling lose its model and come back, and Alertmanager knows both', async () => {
  const faults = join(folder.path, 'docling.json');
  let now = Date.now();
  const docling = await started.service((deps) => createDocling({ BACKSTAY_POD_FAULTS: faults }, deps));
  const orchestrator = await started.service((deps) => createOrchestrator({ PDF_PROCESSING_BACKEND: 'docling' }, deps));
  const alertmanager = await started.service((deps) => createAlertmanager({}, { ...deps, now: () => now }));
  const monitor = createMonitor(
    {
      DOCLING_URL: docling.url,
      ORCHESTRATOR_URL: orchestrator.url,
      ALERTMANAGER_URL: alertmanager.url,
      PROBE_EVERY_MS: '0',
    },
    { now: () => now },
  );
  const names = async (): Promise<readonly unknown[]> =>
    (JSON.parse((await call(`${alertmanager.url}/api/v2/alerts`)).text) as { labels: { alertname: string } }[]).map(
      ({ labels }) => labels.alertname,
    );
  const tick = async (): Promise<readonly unknown[]> => {
    now += 1000;
    await monitor.tick();
    return await names();
  };
  expect(await tick()).toEqual([]);
  writeFileSync(faults, '{"unavailable": true}');
  expect(await tick()).toEqual(['DoclingModelUnavailable']);
  writeFileSync(faults, '{}');
  expect(await tick()).not.toContain('DoclingModelUnavailable');
});
