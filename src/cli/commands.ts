import type { ServiceClient } from '../client/index.ts';
import type { Archive, PrivateFiles } from '../ports/index.ts';
import type { GlobalOptions, Terminal } from './output.ts';
import { DATA_COMMANDS } from './table/data.ts';
import { REVIEW_COMMANDS } from './table/review.ts';
import { RUN_COMMANDS } from './table/runs.ts';
import { SERVICE_COMMANDS } from './table/service.ts';
import { SNAPSHOT_COMMANDS } from './table/snapshots.ts';
import { TOOL_COMMANDS } from './table/tools.ts';

export interface Invocation {
  readonly args: readonly string[];
  readonly options: Readonly<Record<string, unknown>>;
  readonly globals: GlobalOptions;
  readonly terminal: Terminal;
  readonly process: NodeJS.Process;
}

/** What a command has that asks a service instead of doing it here. */
export interface Remote {
  readonly client: ServiceClient;
  readonly files: PrivateFiles;
  readonly archive: () => Promise<Archive>;
}

/** The same command, done by a service: same words, same picture, same exit codes. */
export type RemoteRun = (invocation: Invocation, remote: Remote) => Promise<number>;

/** Runs a command; resolves with the exit code, throws BackstayError for what cannot go on. */
export type CommandRun = (invocation: Invocation) => Promise<number>;

export interface CommandSpec {
  readonly name: string;
  readonly summary: string;
  readonly args?: readonly (readonly [syntax: string, help: string])[];
  readonly options?: readonly (readonly [flags: string, help: string, fallback?: string])[];
  readonly aliases?: readonly string[];
  readonly examples?: readonly string[];
  /** Loads the code of the command: nothing heavy is imported for `--help`. */
  readonly load: () => Promise<CommandRun>;
  /** With --server. `here`: it is about this machine, whatever is asked elsewhere. Absent: refused. */
  readonly remote?: 'here' | (() => Promise<RemoteRun>);
}

/** In the order in which help lists them. */
export const COMMANDS: readonly CommandSpec[] = [
  ...SNAPSHOT_COMMANDS,
  ...RUN_COMMANDS,
  ...REVIEW_COMMANDS,
  ...DATA_COMMANDS,
  ...SERVICE_COMMANDS,
  ...TOOL_COMMANDS,
];
