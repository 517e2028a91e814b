import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createArchive } from '../../src/adapters/archive/index.ts';
import { Basket, manifestOf, type Piece, settle } from '../../src/evidence/basket.ts';
import { eventLine, inOrder } from '../../src/evidence/events.ts';
import { redactorOf } from '../../src/evidence/redact.ts';
import { verifyEvidence } from '../../src/evidence/verify.ts';
import { containersOf, worstFirst } from '../../src/evidence/worst-first.ts';
import { digestOfBytes, type KubeObject, MANIFEST, type ObjectKey } from '../../src/model/index.ts';
import type { ArchivedFile } from '../../src/ports/index.ts';
import { fakeClock } from '../rollback/builders.ts';

const NO_SECRETS = redactorOf([]);
const never = (): boolean => false;

function filled(pieces: readonly Partial<Piece>[]) {
  const basket = new Basket(fakeClock());
  for (const [index, piece] of pieces.entries())
    basket.put({ path: `f${index}`, source: `source ${index}`, text: '', rank: 0, ...piece });
  return basket.close();
}

function bundle(texts: Readonly<Record<string, string>>): { files: readonly ArchivedFile[]; digest: string } {
  const { pieces } = filled(Object.entries(texts).map(([path, text]) => ({ path, text })));
  const packed = settle(pieces, NO_SECRETS, { bytes: 1_000_000 }, never);
  const { content } = manifestOf({
    stack: 's',
    collectedAt: '2026-01-01T00:00:00.000Z',
    tookMs: 1,
    tool: { backstay: '0', node: 'v0' },
    limits: { ms: 1, bytes: 1, logLines: 1 },
    redacted: 0,
    files: packed.listed,
    missing: [],
  });
  return { files: [{ path: MANIFEST, content }, ...packed.files], digest: digestOfBytes(content) };
}

describe('what goes into a bundle', () => {
  it('is cut to size, the worst first, and says what was cut', () => {
    const { pieces } = filled([
      { path: 'least', rank: 5, text: 'x\n'.repeat(5_000) },
      { path: 'worst', rank: 0, text: Array.from({ length: 2_000 }, (_, n) => `line ${n}\n`).join(''), keep: 'end' },
    ]);
    const { listed, files, missing } = settle(pieces, NO_SECRETS, { bytes: 10_000 }, never);
    expect(listed.map(({ path }) => path)).toEqual(['worst']);
    const kept = Buffer.from(files[0]?.content ?? '').toString();
    expect(kept).toMatch(/^line \d+\n/);
    expect(kept.endsWith('line 1999\n')).toBe(true);
    expect(listed[0]?.cut).toMatch(/^only \d+ of 18890 bytes: the size limit$/);
    expect(missing).toEqual([{ source: 'source 0', why: 'no room: the size limit was reached' }]);
  });

  it('never is more than the limit, whatever there is', () => {
    const piece = fc.record({
      text: fc.string({ maxLength: 20_000 }),
      rank: fc.nat(6),
      keep: fc.constantFrom('start', 'end'),
    });
    fc.assert(
      fc.property(
        fc.array(piece as fc.Arbitrary<Partial<Piece>>),
        fc.integer({ min: 1, max: 50_000 }),
        (given, bytes) => {
          const { files, listed, missing } = settle(filled(given).pieces, NO_SECRETS, { bytes }, never);
          expect(files.reduce((sum, { content }) => sum + content.length, 0)).toBeLessThanOrEqual(bytes);
          expect(listed.length + missing.length).toBe(given.length);
          expect(listed.map(({ sha256 }) => sha256)).toEqual(files.map(({ content }) => digestOfBytes(content)));
        },
      ),
    );
  });

  it('is redacted before it is cut: half a secret would not be known any more', () => {
    const secret = 'a-secret-that-is-cut-in-the-middle';
    const text = `${'x'.repeat(5_000)}${secret}`;
    const redact = redactorOf([{ name: 's', value: secret }]);
    const { files } = settle(filled([{ text }]).pieces, redact, { bytes: 5_010 }, never);
    expect(Buffer.from(files[0]?.content ?? '').toString()).not.toContain('a-se');
  });

  it('leaves out what cannot be redacted in time', () => {
    let asked = 0;
    const { pieces } = filled([{ text: 'one' }, { text: 'two' }]);
    const { listed, missing } = settle(pieces, NO_SECRETS, { bytes: 1_000 }, () => (asked += 1) > 1);
    expect(listed).toHaveLength(1);
    expect(missing[0]?.why).toContain('no time left to redact');
  });

  it('takes nothing any more once it is closed', () => {
    const basket = new Basket(fakeClock());
    basket.close();
    basket.put({ path: 'late', source: 'late', text: 'late', rank: 0 });
    basket.miss('late', 'late');
    expect(basket.close()).toEqual({ pieces: [], missing: [] });
  });
});

describe('a bundle', () => {
  const archive = createArchive();
  const whole = bundle({ 'a.txt': 'alpha', 'b.txt': 'beta' });

  it('packs to the same bytes and unpacks to the same files', async () => {
    const packed = await archive.pack(whole.files);
    expect(await archive.pack(whole.files)).toEqual(packed);
    const files = await archive.unpack(packed);
    expect(files.map(({ path, content }) => [path, Buffer.from(content).toString()])).toEqual(
      whole.files.map(({ path, content }) => [path, Buffer.from(content).toString()]),
    );
  });

  it('with long names in it is one that every tar reads', async () => {
    const path = `objects/${'n'.repeat(63)}/customresourcedefinition.${'x'.repeat(200)}.json`;
    const files = await archive.unpack(await archive.pack([{ path, content: Buffer.from('{}') }]));
    expect(files[0]?.path).toBe(path);
  });

  it('that is cut or no archive at all is refused by name', async () => {
    const packed = await archive.pack(whole.files);
    await expect(archive.unpack(packed.subarray(0, packed.length - 20))).rejects.toMatchObject({
      code: 'EVIDENCE_TAMPERED',
    });
    await expect(archive.unpack(Buffer.from('no archive'))).rejects.toMatchObject({ code: 'EVIDENCE_TAMPERED' });
  });

  it('that is whole is so', () => {
    expect(verifyEvidence(whole.files, whole.digest as `sha256:${string}`).ok).toBe(true);
  });

  const changed = (path: string, content: string) =>
    whole.files.map((file) => (file.path === path ? { path, content: Buffer.from(content) } : file));
  it.each([
    ['a changed byte', changed('a.txt', 'alphA'), 'a.txt', 'its digest differs'],
    ['another length', changed('b.txt', 'be'), 'b.txt', '2 bytes instead of 4'],
    ['a file less', whole.files.filter(({ path }) => path !== 'b.txt'), 'b.txt', 'missing'],
    ['a file more', [...whole.files, { path: 'c.txt', content: Buffer.from('') }], 'c.txt', 'it was added'],
    ['a file twice', [...whole.files, whole.files[1] as ArchivedFile], 'a.txt', 'a second time'],
    ['no manifest', whole.files.slice(1), MANIFEST, 'there is no manifest'],
    ['a manifest of something else', changed(MANIFEST, '{}'), MANIFEST, 'not one of evidence'],
    ['a bundle made anew', bundle({ 'a.txt': 'forged' }).files, MANIFEST, 'the journal has'],
  ])('with %s is not, and what is wrong is named', (_name, files, path, message) => {
    const { ok, findings } = verifyEvidence(files, whole.digest as `sha256:${string}`);
    expect(ok).toBe(false);
    expect(findings.filter((finding) => !finding.ok)).toContainEqual({
      path,
      ok: false,
      message: expect.stringContaining(message),
    });
  });
});

describe('pods', () => {
  const pod = (name: string, status: object): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'n' },
    status,
  });
  const isReady = { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] };
  const crashed = {
    name: 'c',
    restartCount: 3,
    state: { waiting: { reason: 'CrashLoopBackOff' } },
    lastState: { terminated: { exitCode: 1 } },
  };

  it('come in the order in which somebody would look at them', () => {
    const pods = new Map<ObjectKey, readonly KubeObject[]>([
      ['a' as ObjectKey, [pod('fine', isReady), pod('failed', { phase: 'Running', containerStatuses: [crashed] })]],
      [
        'b' as ObjectKey,
        [
          pod('changed', isReady),
          pod('waits', { phase: 'Pending' }),
          pod('restarted', { ...isReady, containerStatuses: [{ name: 'c', restartCount: 1, state: { running: {} } }] }),
        ],
      ],
    ]);
    expect(worstFirst(pods, new Set(['b' as ObjectKey])).map((one) => one.pod.metadata.name)).toEqual([
      'failed',
      'waits',
      'restarted',
      'changed',
      'fine',
    ]);
  });

  it('have logs of the run before where a container was restarted', () => {
    expect(
      containersOf(
        pod('x', { containerStatuses: [crashed, { name: 'new', restartCount: 0, state: { waiting: {} } }] }),
      ),
    ).toEqual([
      { name: 'c', restarts: 3, hasRun: true, hasPrevious: true },
      { name: 'new', restarts: 0, hasRun: false, hasPrevious: false },
    ]);
  });
});

describe('events', () => {
  it('of both API groups stand in the order in which they happened', () => {
    const event = (name: string, part: object): KubeObject => ({
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name, namespace: 'n', creationTimestamp: '2026-01-01T00:00:09Z' },
      ...part,
    });
    const seen = inOrder([
      event('c', {
        type: 'Warning',
        reason: 'BackOff',
        note: 'again\nand again',
        regarding: { kind: 'Pod', name: 'p' },
        series: { count: 4, lastObservedTime: '2026-01-01T00:00:05.5Z' },
      }),
      event('a', {
        type: 'Normal',
        reason: 'Pulled',
        message: 'm',
        involvedObject: { kind: 'Pod', name: 'p' },
        lastTimestamp: '2026-01-01T00:00:01Z',
        count: 2,
        source: { component: 'kubelet' },
      }),
      event('b', { reason: 'Old', eventTime: null }),
    ]);
    expect(seen.map(({ reason }) => reason)).toEqual(['Pulled', 'BackOff', 'Old']);
    expect(seen.map(eventLine)).toEqual([
      '2026-01-01T00:00:01.000Z Normal  Pulled n/pod/p: m (×2) [kubelet]',
      '2026-01-01T00:00:05.500Z Warning BackOff n/pod/p: again and again (×4)',
      '2026-01-01T00:00:09.000Z         Old n//: ',
    ]);
  });
});
