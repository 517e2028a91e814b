import { BackstayError, isBackstayError } from '../errors/index.ts';
import { type EvidenceFinding, verifyEvidence } from '../evidence/index.ts';
import { fold, type RunState } from '../journal/index.ts';
import { type Digest, type EvidenceManifest, isDigest } from '../model/index.ts';
import type { Archive, ArchivedFile, JournalStore, PrivateFiles } from '../ports/index.ts';
import { evidencePath } from './evidence.ts';

export interface EvidenceArchiveDeps {
  readonly journal: JournalStore;
  readonly files: PrivateFiles;
  readonly archive: Archive;
  readonly stateDir: string;
}

export interface VerifiedEvidence {
  readonly path: string;
  readonly ok: boolean;
  readonly digest?: Digest;
  readonly stack?: string;
  readonly run?: string;
  /** Whether the digest was compared with the one in the journal of the run. */
  readonly anchored: boolean;
  readonly findings: readonly EvidenceFinding[];
}

export interface EvidenceOfRun {
  readonly path: string;
  readonly digest: Digest;
  readonly manifest: EvidenceManifest;
  /** Where a copy was written. */
  readonly copy?: string;
}

/**
 * The bundle of a run: where it is and what is in it, and a copy of it when one is wanted.
 * @throws RUN_UNKNOWN, EVIDENCE_MISSING, EVIDENCE_TAMPERED (it is not copied then)
 */
export async function showEvidence(
  run: string,
  options: { readonly out?: string },
  deps: EvidenceArchiveDeps,
): Promise<EvidenceOfRun> {
  const state = fold(await entriesOf(run, deps));
  const path = evidencePath(deps.stateDir, run);
  const bytes = await deps.files.read(path);
  const expected = digestIn(state);
  if (bytes === undefined) throw noEvidence(run, path, state);
  const { ok, digest, manifest, findings } = verifyEvidence(await deps.archive.unpack(bytes), expected);
  if (!ok || digest === undefined || manifest === undefined) throw tampered(path, findings);
  if (options.out !== undefined) await deps.files.write(options.out, bytes);
  return { path, digest, manifest, ...(options.out === undefined ? {} : { copy: options.out }) };
}

/** What a bundle holds that came from elsewhere, after every byte was compared with its manifest. @throws EVIDENCE_TAMPERED */
export async function openBundle(
  bytes: Uint8Array,
  { archive }: Pick<EvidenceArchiveDeps, 'archive'>,
): Promise<Pick<EvidenceOfRun, 'digest' | 'manifest'>> {
  const { ok, digest, manifest, findings } = verifyEvidence(await archive.unpack(bytes), undefined);
  if (!ok || digest === undefined || manifest === undefined) throw tampered('the bundle', findings);
  return { digest, manifest };
}

/**
 * Checks every byte of a bundle: of a run, against its journal; of a file, against the journal of the run that it names,
 * where that is at hand. @throws EVIDENCE_MISSING when there is neither such a run nor such a file
 */
export async function verifyBundle(what: string, file: string, deps: EvidenceArchiveDeps): Promise<VerifiedEvidence> {
  const entries = await deps.journal.read(what);
  const state = entries.length === 0 ? undefined : fold(entries);
  const path = state === undefined ? file : evidencePath(deps.stateDir, what);
  const bytes = await deps.files.read(path).catch((error: unknown) => {
    throw new BackstayError('EVIDENCE_MISSING', `${path} cannot be read.`, { cause: error });
  });
  if (bytes === undefined) {
    if (state !== undefined) throw noEvidence(what, path, state);
    throw new BackstayError('EVIDENCE_MISSING', `${what} is neither a run of this journal nor a file.`);
  }
  const unpacked = await unpackedOf(bytes, deps.archive);
  if (!Array.isArray(unpacked)) return { path, ok: false, anchored: false, findings: [unpacked as EvidenceFinding] };
  const named = state ?? (await stateNamedIn(unpacked, deps));
  const expected = named === undefined ? undefined : digestIn(named);
  const { manifest, ...verified } = verifyEvidence(unpacked, expected);
  return {
    path,
    ...verified,
    anchored: expected !== undefined,
    ...(manifest === undefined ? {} : { stack: manifest.stack }),
    ...(manifest?.run === undefined ? {} : { run: manifest.run }),
  };
}

async function unpackedOf(bytes: Uint8Array, archive: Archive): Promise<readonly ArchivedFile[] | EvidenceFinding> {
  try {
    return await archive.unpack(bytes);
  } catch (error) {
    if (!isBackstayError(error, 'EVIDENCE_TAMPERED')) throw error;
    return { path: 'the archive', ok: false, message: error.message };
  }
}

async function stateNamedIn(files: readonly ArchivedFile[], deps: EvidenceArchiveDeps): Promise<RunState | undefined> {
  const { manifest } = verifyEvidence(files, undefined);
  if (typeof manifest?.run !== 'string') return undefined;
  const entries = await deps.journal.read(manifest.run);
  return entries.length === 0 ? undefined : fold(entries);
}

async function entriesOf(run: string, { journal }: EvidenceArchiveDeps): ReturnType<JournalStore['read']> {
  const entries = await journal.read(run);
  if (entries.length === 0) throw new BackstayError('RUN_UNKNOWN', `There is no run ${run}.`);
  return entries;
}

/** As the step stored it. A run that was killed between writing the bundle and storing its digest has none. */
function digestIn(state: RunState): Digest | undefined {
  const step = [...state.steps.values()].find(({ step: { action } }) => action.kind === 'evidence');
  const digest = (step?.result as { readonly digest?: unknown } | undefined)?.digest;
  return typeof digest === 'string' && isDigest(digest) ? digest : undefined;
}

function noEvidence(run: string, path: string, state: RunState): BackstayError {
  const step = [...state.steps.values()].find(({ step: { action } }) => action.kind === 'evidence');
  const why =
    step === undefined
      ? 'its plan has no step that keeps any (a release leaves no failing version)'
      : step.attempts === 0
        ? 'it ended before that step'
        : `${path} is not there`;
  return new BackstayError('EVIDENCE_MISSING', `There is no evidence of run ${run}: ${why}.`);
}

function tampered(path: string, findings: readonly EvidenceFinding[]): BackstayError {
  const wrong = findings.filter(({ ok }) => !ok).map((finding) => `${finding.path} ${finding.message}`);
  return new BackstayError('EVIDENCE_TAMPERED', `${path}: ${wrong.join('; ')}.`, { details: { path, findings } });
}
