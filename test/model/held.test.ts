import { describe, expect, test } from 'vitest';
import {
  contentId,
  digestOf,
  type Hold,
  heldVersion,
  holdOn,
  holdsInForce,
  type KubeObject,
  type ObjectKey,
  type Sighting,
  type SnapshotContent,
} from '../../src/model/index.ts';

const WEB = 'apps/Deployment/shop/web' as ObjectKey;
const WORKER = 'apps/Deployment/shop/worker' as ObjectKey;

function content(
  change: { web?: string; worker?: string; flag?: string; config?: string; replicas?: number } = {},
): SnapshotContent {
  const { web = 'web:2', worker, flag = 'on', config = 'x', replicas = 1 } = change;
  const objects: KubeObject[] = [
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c', namespace: 'shop' }, data: { config } },
    { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web', namespace: 'shop' }, spec: { replicas } },
  ];
  return {
    apiVersion: 'backstay.dev/v1',
    kind: 'SnapshotContent',
    stack: 'shop',
    namespaces: ['shop'],
    objects,
    flags: [{ name: 'fast', value: flag, source: 's' }],
    images: [
      { workload: WEB, container: 'main', image: web },
      ...(worker === undefined ? [] : [{ workload: WORKER, container: 'main', image: worker }]),
    ],
  };
}

let clock = 0;
function sighting(of: SnapshotContent, part: Partial<Sighting['record']> = {}): Sighting {
  clock += 1;
  return {
    record: {
      apiVersion: 'backstay.dev/v1',
      kind: 'SnapshotRecord',
      id: contentId(of),
      stack: 'shop',
      capturedAt: new Date(clock * 1_000).toISOString(),
      reason: 'capture',
      labels: [],
      by: { user: 'ada', host: 'here', version: '0' },
      checks: [],
      verdict: 'pass',
      ...part,
    },
    recordDigest: digestOf(clock),
    signature: { state: 'trusted', key: 'k' },
  };
}

/** A hold as a run makes it that went from `failing` to `reached`. */
function hold(failing: SnapshotContent, reached: SnapshotContent, digests: Record<string, string> = {}): Hold {
  const version = heldVersion({ content: failing, digests }, { content: reached });
  return { run: 'r1', reason: 'slow', ...(version === undefined ? {} : { version }) };
}

function recognised(
  seen: SnapshotContent,
  failing: SnapshotContent,
  reached: SnapshotContent,
  digests: { held?: Record<string, string>; seen?: Record<string, string> } = {},
): boolean {
  const held = sighting(failing, { reason: 'relabel', held: hold(failing, reached, digests.held) });
  const digestsSeen = digests.seen === undefined ? {} : { digests: digests.seen };
  return holdOn({ content: seen, ...digestsSeen }, contentId(seen), [held])?.run === 'r1';
}

const FAILING = content({ web: 'web:2' });
const REACHED = content({ web: 'web:1' });

describe('a held version is known again', () => {
  test.each([
    ['as it was', content({ web: 'web:2' }), true],
    ['with other replicas', content({ web: 'web:2', replicas: 7 }), true],
    ['with other configuration', content({ web: 'web:2', config: 'y' }), true],
    ['with a workload beside it', content({ web: 'web:2', worker: 'worker:1' }), true],
    ['but not with another image', content({ web: 'web:3' }), false],
    ['but not with another flag', content({ web: 'web:2', flag: 'off' }), false],
    ['but not the version that was gone back to', REACHED, false],
  ])('%s', (_what, seen, is) => {
    expect(recognised(seen, FAILING, REACHED)).toBe(is);
  });

  test.each([
    ['the same digest', { 'web:2': 'sha256:a' }, { 'web:2': 'sha256:a' }, true],
    ['another digest', { 'web:2': 'sha256:a' }, { 'web:2': 'sha256:b' }, false],
    ['a digest that nobody reported yet', { 'web:2': 'sha256:a' }, {}, true],
    ['a digest that was not known then', {}, { 'web:2': 'sha256:b' }, true],
  ])('by an image with %s: %s', (_what, held, seen, is) => {
    expect(recognised(content({ replicas: 3 }), FAILING, REACHED, { held, seen })).toBe(is);
  });

  test('by its configuration where images and flags are the same on both sides, so that the good one is not held', () => {
    const [failing, reached] = [content({ config: 'bad' }), content({ config: 'good' })];
    expect(recognised(content({ config: 'bad', replicas: 4 }), failing, reached)).toBe(true);
    expect(recognised(content({ config: 'good', replicas: 4 }), failing, reached)).toBe(false);
    expect(recognised(content({ config: 'mended' }), failing, reached)).toBe(false);
  });

  test('by its id alone where nothing of that tells', () => {
    const [failing, reached] = [content({ replicas: 0 }), content({ replicas: 2 })];
    expect(heldVersion({ content: failing }, { content: reached })).toBeUndefined();
    expect(recognised(failing, failing, reached)).toBe(true);
    expect(recognised(content({ replicas: 1 }), failing, reached)).toBe(false);
  });

  test('by flags where only they changed', () => {
    const [failing, reached] = [content({ flag: 'on' }), content({ flag: 'off' })];
    expect(recognised(content({ flag: 'on', replicas: 9 }), failing, reached)).toBe(true);
    expect(recognised(content({ flag: 'off', replicas: 9 }), failing, reached)).toBe(false);
  });

  test('until a person releases it', () => {
    const held = sighting(FAILING, { reason: 'relabel', held: hold(FAILING, REACHED) });
    const released = sighting(FAILING, { reason: 'relabel' });
    const seen = content({ replicas: 5 });
    expect(holdsInForce([held])).toHaveLength(1);
    expect(holdsInForce([released, held])).toEqual([]);
    expect(holdOn({ content: seen }, contentId(seen), [released, held])).toBeUndefined();
  });

  test('an empty stack is no version', () => {
    const empty = { ...content(), images: [] };
    expect(recognised({ ...empty, flags: [] }, empty, REACHED)).toBe(false);
  });
});
