import type { HttpAnswer } from './cluster.ts';
import type { RunEvent } from '../model/index.ts';

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Monotonic milliseconds, for durations. */
  monotonic(): number;
  /** Resolves after `ms`, rejects with the signal's reason. Only for pacing and deadlines, never instead of a watch. */
  delay(ms: number, signal?: AbortSignal): Promise<void>;
}

export interface Reporter {
  report(event: RunEvent): void;
}

/** HTTP of our own, outside the API server's proxy. One pooled connection. */
export interface HttpClient {
  request(request: {
    readonly method: string;
    readonly url: string;
    /** Connect here instead of the URL's host (as `curl --connect-to`); Host header stays the URL's. */
    readonly connectTo?: { readonly host: string; readonly port: number };
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: string | Uint8Array;
    readonly timeoutMs: number;
    readonly signal?: AbortSignal;
  }): Promise<HttpAnswer>;
}

/** Reads a KeySource. Errors: KEY_MISSING naming the variable or file. */
export interface KeyReader {
  read(source: { readonly env: string } | { readonly file: string }): Promise<string>;
}

/** Runs a command without a shell. Never throws for a non-zero exit. */
export interface Exec {
  run(
    command: readonly string[],
    options: {
      readonly env?: Readonly<Record<string, string>>;
      readonly cwd?: string;
      readonly timeoutMs: number;
      readonly signal?: AbortSignal;
      /** Bytes kept of stdout and of stderr each: the end. @default 65536 */
      readonly keepBytes?: number;
    },
  ): Promise<{ readonly exitCode: number; readonly stdout: string; readonly stderr: string }>;
}

/** Writes files that only their owner may read, whole or not at all. Makes the folders on the way. */
export interface PrivateFiles {
  write(path: string, content: string | Uint8Array): Promise<void>;
  /** Undefined when there is no such file. */
  read(path: string): Promise<Uint8Array | undefined>;
}

/** Many files as one. Packing the same files twice gives the same bytes. */
export interface Archive {
  pack(files: readonly ArchivedFile[]): Promise<Uint8Array>;
  /** @throws EVIDENCE_TAMPERED when it is not such an archive, or was cut or altered so that it cannot be read. */
  unpack(bytes: Uint8Array): Promise<readonly ArchivedFile[]>;
}

export interface ArchivedFile {
  readonly path: string;
  readonly content: Uint8Array;
}

/** A stack's key folder after `init`; only public parts. */
export interface KeyFolder {
  readonly directory: string;
  /** File names that were written now. */
  readonly created: readonly string[];
  /** File names that were there and were left alone. */
  readonly kept: readonly string[];
  /** age recipient, for `backstay:secrets.recipients`. */
  readonly recipient: string;
  /** For `backstay:signing.trusted`. */
  readonly trusted: { readonly name: string; readonly publicKey: string };
}

/** Makes the key folder of a stack; never overwrites. `owner` names the signing key (`anna@laptop`). */
export type InitKeys = (stack: string, directory: string, owner: string) => Promise<KeyFolder>;

/** Reads a directory of manifests. Errors: MANIFESTS_INVALID when it cannot be read or holds none. */
export type ReadManifests = (directory: string) => Promise<readonly ManifestFile[]>;

export interface ManifestFile {
  readonly path: string;
  readonly text: string;
}
