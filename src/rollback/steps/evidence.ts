import { isBackstayError } from '../../errors/index.ts';
import type { Json, StepAction } from '../../model/index.ts';
import type { Executor } from '../executor.ts';

/** Named in the message; the manifest has all. */
const NAMED = 3;

/**
 * Keeps what the failing version left before anything of it is changed. Never fails a run: what could not be had is told,
 * and the run goes on. Begun again it collects again, and the new bundle replaces the old one as a whole.
 */
export const evidence: Executor<Extract<StepAction, { kind: 'evidence' }>> = async (action, context) => {
  const { run, state, deps, signal, effect } = context;
  const limits = { ms: action.limitMs, bytes: action.limitBytes, logLines: action.logLines };
  try {
    const { digest, manifest, path, bytes } = await effect(
      async () => await deps.collectEvidence({ run, plan: state.plan, limits, signal }),
    );
    const missing = manifest.missing.map(({ source, why }) => `${source} (${why})`);
    const count = manifest.files.length;
    const kept = `${count} ${count === 1 ? 'file' : 'files'}`;
    const more = missing.length > NAMED ? ` and ${missing.length - NAMED} more` : '';
    const said = missing.length === 0 ? kept : `${kept}; missing: ${missing.slice(0, NAMED).join(', ')}${more}`;
    const result: Json = {
      path,
      digest,
      bytes,
      files: count,
      redacted: manifest.redacted,
      cut: manifest.files.filter(({ cut }) => cut !== undefined).length,
      missing: missing.length,
      tookMs: manifest.tookMs,
    };
    return { outcome: missing.length === 0 ? 'done' : 'warned', touched: false, message: said, result };
  } catch (error) {
    if (signal.aborted || isBackstayError(error, 'LEASE_LOST')) throw error;
    const message = error instanceof Error ? error.message : String(error);
    const code = isBackstayError(error) ? { code: error.code } : {};
    return { outcome: 'warned', touched: false, message: `no evidence was kept: ${message}`, ...code };
  }
};
