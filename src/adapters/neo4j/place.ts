import type { Files } from './files.ts';
import type { Grounds } from './folders.ts';
import type { Pointer } from './record.ts';

/** Where a server runs, and how it is told what to serve. */
export interface Place {
  /** Where its databases lie, when that is a folder of this machine. */
  folder(): Promise<Grounds | undefined>;
  /** Opens the way to its files for the work, and closes it again. @throws TIMEOUT, STORE_UNSUPPORTED */
  withFiles<T>(work: (files: Files) => Promise<T>, signal?: AbortSignal): Promise<T>;
  look(): Promise<Pointer>;
  /** One act, which happens whole or not at all. @throws STORE_FENCED when it was written since it was seen as `from` */
  point(to: Pointer, from: Pointer): Promise<void>;
  /** Comes back when the server was told to stop, or is gone. One that is stopped already stays so. */
  stop(signal?: AbortSignal): Promise<void>;
  /** Comes back when it was told to start; whether it answers is asked elsewhere. */
  start(signal?: AbortSignal): Promise<void>;
  /** Why it could not be stopped, started or told what to serve, in words. */
  obstacles(): Promise<readonly string[]>;
}
