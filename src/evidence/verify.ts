import { digestOfBytes, type Digest, type EvidenceManifest, MANIFEST } from '../model/index.ts';
import type { ArchivedFile } from '../ports/index.ts';

export interface EvidenceFinding {
  readonly path: string;
  readonly ok: boolean;
  readonly message: string;
}

export interface Verified {
  readonly ok: boolean;
  /** Digest of the manifest in the archive. */
  readonly digest?: Digest;
  readonly manifest?: EvidenceManifest;
  /** One a file, in the archive's order, then what the manifest names and the archive lacks. */
  readonly findings: readonly EvidenceFinding[];
}

/**
 * Every byte against the manifest, and the manifest against the digest that the journal of the run has. Without such a
 * digest only damage is found, not a bundle that somebody made anew.
 */
export function verifyEvidence(files: readonly ArchivedFile[], expected: Digest | undefined): Verified {
  const own = files.find(({ path }) => path === MANIFEST);
  if (own === undefined) return bad('there is no manifest');
  const digest = digestOfBytes(own.content);
  const manifest = manifestIn(own.content);
  if (typeof manifest === 'string') return { ...bad(manifest), digest };
  const about: EvidenceFinding =
    expected === undefined || expected === digest
      ? {
          path: MANIFEST,
          ok: true,
          message: expected === undefined ? 'read; no journal to compare it with' : 'as the journal has it',
        }
      : { path: MANIFEST, ok: false, message: `altered: the journal has ${expected}, this is ${digest}` };
  const findings = [about, ...contents(files, manifest)];
  return { ok: findings.every(({ ok }) => ok), digest, manifest, findings };
}

function contents(files: readonly ArchivedFile[], manifest: EvidenceManifest): readonly EvidenceFinding[] {
  const listed = new Map(manifest.files.map((file) => [file.path, file]));
  const seen = new Set<string>();
  const found = files
    .filter(({ path }) => path !== MANIFEST)
    .map(({ path, content }): EvidenceFinding => {
      const entry = listed.get(path);
      const again = seen.has(path);
      seen.add(path);
      if (again) return { path, ok: false, message: 'is there a second time' };
      if (entry === undefined) return { path, ok: false, message: 'is not in the manifest: it was added' };
      if (entry.bytes !== content.length)
        return { path, ok: false, message: `altered: ${content.length} bytes instead of ${entry.bytes}` };
      if (entry.sha256 !== digestOfBytes(content)) return { path, ok: false, message: 'altered: its digest differs' };
      return { path, ok: true, message: 'as it was collected' };
    });
  const lacking = manifest.files.filter(({ path }) => !seen.has(path));
  return [...found, ...lacking.map(({ path }) => ({ path, ok: false, message: 'is missing from the archive' }))];
}

function manifestIn(content: Uint8Array): EvidenceManifest | string {
  try {
    const value = JSON.parse(Buffer.from(content).toString('utf8')) as Partial<EvidenceManifest> | null;
    if (value?.kind !== 'Evidence' || !Array.isArray(value.files)) return 'the manifest is not one of evidence';
    if (value.format !== 1) return `the manifest has format ${String(value.format)}, which this program does not know`;
    return value as EvidenceManifest;
  } catch {
    return 'the manifest is no JSON';
  }
}

function bad(message: string): Verified {
  return { ok: false, findings: [{ path: MANIFEST, ok: false, message }] };
}
