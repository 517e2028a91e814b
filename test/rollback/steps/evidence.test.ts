import { describe, expect, it } from 'vitest';
import { BackstayError } from '../../../src/errors/index.ts';
import { digestOf, type EvidenceManifest, type StepAction } from '../../../src/model/index.ts';
import type { RunDeps } from '../../../src/rollback/index.ts';
import { perform } from '../step-support.ts';

const ACTION: Extract<StepAction, { kind: 'evidence' }> = {
  kind: 'evidence',
  limitMs: 3_000,
  limitBytes: 1_000,
  logLines: 10,
};
const FILE = { path: 'events.txt', sha256: digestOf('x'), bytes: 1, source: 's', at: '2026-01-01T00:00:00Z' };

function manifest(part: Partial<EvidenceManifest> = {}): EvidenceManifest {
  return {
    apiVersion: 'backstay.dev/v1',
    kind: 'Evidence',
    format: 1,
    stack: 'medical-kg',
    collectedAt: '2026-01-01T00:00:00Z',
    tookMs: 5,
    tool: { backstay: '0', node: 'v0' },
    limits: { ms: 1, bytes: 1, logLines: 1 },
    redacted: 2,
    files: [FILE],
    missing: [],
    ...part,
  };
}

const collecting = (collectEvidence: RunDeps['collectEvidence']) => ({ deps: { collectEvidence } });
const found =
  (part: Partial<EvidenceManifest> = {}): RunDeps['collectEvidence'] =>
  async () => ({ path: '/state/evidence.tar.gz', digest: digestOf('manifest'), bytes: 9, manifest: manifest(part) });

describe('the step that keeps evidence', () => {
  it('is bounded by what the plan froze, and leaves the digest of the manifest in the journal', async () => {
    const asked: Parameters<RunDeps['collectEvidence']>[0][] = [];
    const { result } = await perform(
      ACTION,
      collecting(async (request) => {
        asked.push(request);
        return await found()(request);
      }),
    );
    expect(asked[0]?.limits).toEqual({ ms: 3_000, bytes: 1_000, logLines: 10 });
    expect(result).toMatchObject({
      outcome: 'done',
      touched: false,
      result: {
        path: '/state/evidence.tar.gz',
        digest: digestOf('manifest'),
        files: 1,
        redacted: 2,
        cut: 0,
        missing: 0,
      },
    });
  });

  it('warns of what is missing, and of no more than a person reads', async () => {
    const missing = ['a', 'b', 'c', 'd', 'e'].map((source) => ({ source, why: 'late' }));
    const { result } = await perform(ACTION, collecting(found({ missing })));
    expect(result).toMatchObject({ outcome: 'warned', touched: false, result: { missing: 5 } });
    expect(result.message).toBe('1 file; missing: a (late), b (late), c (late) and 2 more');
  });

  it.each([
    ['a full disk', new BackstayError('STORAGE_UNWRITABLE', 'no room'), 'STORAGE_UNWRITABLE'],
    ['a defect', new TypeError('undefined is not a function'), undefined],
  ])('never fails a run: %s is a warning', async (_name, error, code) => {
    const { result } = await perform(
      ACTION,
      collecting(async () => {
        throw error;
      }),
    );
    expect(result).toMatchObject({ outcome: 'warned', touched: false });
    expect(result.message).toBe(`no evidence was kept: ${error.message}`);
    expect(result.code).toBe(code);
  });

  it('stops when the stack is no longer ours', async () => {
    const lost = collecting(async () => {
      throw new BackstayError('LEASE_LOST', 'taken');
    });
    await expect(perform(ACTION, lost)).rejects.toMatchObject({ code: 'LEASE_LOST' });
  });
});
