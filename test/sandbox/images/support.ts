import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openDatabase } from '../../../src/sandbox/images/kit/database.ts';
import type { Service, ServiceDeps } from '../../../src/sandbox/images/kit/service.ts';
import { freePort } from '../../../src/free-port.ts';

/** Starts services on free ports of loopback and stops all of them, last first. */
export class Started {
  readonly #stops: (() => Promise<void>)[] = [];

  async service(
    create: (deps: ServiceDeps) => Service,
  ): Promise<{ readonly url: string; readonly stop: () => Promise<void> }> {
    const service = create({ address: '127.0.0.1', port: 0, log: () => undefined });
    const url = await service.start();
    let stopped: Promise<void> | undefined;
    const stop = (): Promise<void> => (stopped ??= service.stop());
    this.#stops.push(stop);
    return { url, stop };
  }

  /** Anything else that has to end. */
  add(stop: () => Promise<void>): void {
    this.#stops.push(stop);
  }

  async stop(): Promise<void> {
    for (const stop of this.#stops.toReversed()) await stop();
  }
}

export function temporaryFolder(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'backstay-images-'));
  // As root the database runs as another user, and would lay its data elsewhere if it could not reach this folder.
  chmodSync(path, 0o755);
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** Starts an image's program as a pod would, without a preload. */
export function startProgram(folder: string, env: Readonly<Record<string, string>>): ChildProcess {
  const entry = fileURLToPath(new URL(`../../../src/sandbox/images/${folder}/main.ts`, import.meta.url));
  return spawn(process.execPath, [entry], {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** Resolves with everything said so far as soon as it matches; rejects when the process ends before. */
export async function untilSaid(child: ChildProcess, pattern: RegExp): Promise<string> {
  return await new Promise((resolve, reject) => {
    let text = '';
    const hear = (chunk: Buffer): void => {
      text += chunk.toString();
      if (pattern.test(text)) resolve(text);
    };
    child.stdout?.on('data', hear);
    child.stderr?.on('data', hear);
    child.once('exit', () => reject(new Error(`ended before it said ${String(pattern)}: ${text}`)));
  });
}

export const PASSWORD = 'a test, only';

export interface TestPostgres {
  readonly env: Readonly<Record<string, string>>;
  readonly child: ChildProcess;
  stop(): Promise<void>;
}

/** The postgres image on a free port of loopback. */
export async function startTestPostgres(
  data: string,
  more: Readonly<Record<string, string>> = {},
): Promise<TestPostgres> {
  const port = await freePort();
  const child = startProgram('postgres', {
    BACKSTAY_POD_ADDRESS: '127.0.0.1',
    BACKSTAY_POD_DATA: data,
    PORT: String(port),
    POSTGRES_USER: 'medical_kg',
    POSTGRES_PASSWORD: PASSWORD,
    ...more,
  });
  await untilSaid(child, /ready to accept connections/);
  const exited = once(child, 'exit');
  return {
    child,
    env: {
      PGHOST: '127.0.0.1',
      PGPORT: String(port),
      PGUSER: 'medical_kg',
      PGPASSWORD: PASSWORD,
      PGDATABASE: 'medical_kg',
    },
    async stop() {
      child.kill('SIGTERM');
      await exited;
    },
  };
}

export { openDatabase };
