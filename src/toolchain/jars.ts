import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BackstayError } from '../errors/index.ts';
import type { BundleWork } from './bundle.ts';

/** One pinned artifact of a Maven repository. */
export interface PinnedJar {
  readonly group: string;
  readonly artifact: string;
  readonly version: string;
  readonly bytes: number;
  /** Hex. */
  readonly sha256: string;
}

const CENTRAL = '';
/** Milliseconds for one artifact. */
const PATIENCE_MS = 120_000;

/** A line of a list: `group:artifact:version bytes sha256`. @throws TypeError naming the line */
export function pinnedJars(list: string): readonly PinnedJar[] {
  return list
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [, group, artifact, version, bytes, sha256] =
        /^([\w.-]+):([\w.-]+):([\w.-]+) (\d+) ([0-9a-f]{64})$/.exec(line) ?? [];
      if (group === undefined || artifact === undefined || version === undefined || sha256 === undefined)
        throw new TypeError(`this is no pinned artifact: ${line}`);
      return { group, artifact, version, bytes: Number(bytes), sha256 };
    });
}

/**
 * Brings artifacts from Maven Central, or from the mirror that BACKSTAY_MAVEN_MIRROR names, each exactly as it is pinned. No
 * Maven is needed. Errors: TOOL_MISSING when one is not to be had, TOOL_BUILD_FAILED for a wrong digest.
 */
export async function fetchPinned(jars: readonly PinnedJar[], into: string, work: BundleWork): Promise<void> {
  const { env, signal, say } = work;
  const { EnvHttpProxyAgent, fetch } = await import('undici');
  const dispatcher = new EnvHttpProxyAgent();
  const base = (env['BACKSTAY_MAVEN_MIRROR'] || CENTRAL).replace(/\/$/, '');
  const total = jars.reduce((sum, { bytes }) => sum + bytes, 0);
  let seen = 0;
  await mkdir(into, { recursive: true });
  try {
    for (const { group, artifact, version, bytes, sha256 } of jars) {
      const name = `${artifact}-${version}.jar`;
      const url = `${base}/${group.replaceAll('.', '/')}/${artifact}/${version}/${name}`;
      const limit = AbortSignal.timeout(PATIENCE_MS);
      const content = await fetch(url, {
        dispatcher,
        signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
      }).then(
        async (answer) => (answer.ok ? Buffer.from(await answer.arrayBuffer()) : missing(name, String(answer.status))),
        (error: unknown) => {
          signal?.throwIfAborted();
          return missing(name, reasonOf(error));
        },
      );
      if (createHash('sha256').update(content).digest('hex') !== sha256)
        throw new BackstayError('TOOL_BUILD_FAILED', `${name} is not the artifact that was pinned`, {
          next: 'A proxy or mirror serves something else under its name: find out why before anything else.',
        });
      await writeFile(join(into, name), content);
      seen += bytes;
      say(`downloading ${name}`, seen / total);
    }
  } finally {
    await dispatcher.close();
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}

function missing(name: string, why: string): never {
  throw new BackstayError('TOOL_MISSING', `${name} is not to be had from Maven Central: ${why}`, {
    next: 'Look at the network, or name a mirror with BACKSTAY_MAVEN_MIRROR.',
  });
}
