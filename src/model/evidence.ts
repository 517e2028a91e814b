import type { Digest } from './json.ts';

/** What a bundle of evidence holds, and what it could not get. Its digest is in the journal of the run. */
export interface EvidenceManifest {
  readonly apiVersion: 'backstay.dev/v1';
  readonly kind: 'Evidence';
  readonly format: 1;
  readonly stack: string;
  /** Absent: it was collected without a run. */
  readonly run?: string;
  /** ISO 8601. */
  readonly collectedAt: string;
  readonly tookMs: number;
  readonly cluster?: { readonly uid: string; readonly version: string; readonly server: string };
  readonly tool: { readonly backstay: string; readonly node: string };
  readonly limits: EvidenceLimits;
  /** How many pieces of text were replaced by `[redacted:…]`. */
  readonly redacted: number;
  /** Everything of the archive but the manifest itself, worst first. */
  readonly files: readonly EvidenceFile[];
  /** What was asked for and is not there. */
  readonly missing: readonly { readonly source: string; readonly why: string }[];
}

export interface EvidenceLimits {
  readonly ms: number;
  readonly bytes: number;
  /** Of each container, and of the one before it. */
  readonly logLines: number;
}

export interface EvidenceFile {
  readonly path: string;
  /** After redaction. */
  readonly sha256: Digest;
  readonly bytes: number;
  /** Where it is from: `log of container gateway of pod production/gateway-5f`. */
  readonly source: string;
  /** ISO 8601: when it was read. */
  readonly at: string;
  /** Absent: it is whole. */
  readonly cut?: string;
  readonly note?: string;
}

export const MANIFEST = 'manifest.json';
