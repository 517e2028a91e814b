import type { Grounds } from './folders.ts';
import type { Pointer } from './record.ts';

/** Where a server runs, and how it is told what to serve. */
export interface Place {
  grounds(): Promise<Grounds>;
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
