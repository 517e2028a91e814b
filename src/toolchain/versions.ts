import { createHash } from 'node:crypto';
import { execFile } from 'node:child_process';
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Numbers of `1.35.4-dispatcher` → [1, 35, 4]; missing parts are 0. */
function numbers(version: string): readonly [number, number, number] {
  const [major = 0, minor = 0, patch = 0] = version
    .replace(/^v/, '')
    .split(/[-+]/, 1)[0]!
    .split('.')
    .map((part) => Number.parseInt(part, 10) || 0);
  return [major, minor, patch];
}

/** The same major version, and not older than `minimum`: a next major version makes no promises to us. */
export function atLeast(version: string, minimum: string): boolean {
  const have = numbers(version);
  const need = numbers(minimum);
  if (have[0] !== need[0]) return false;
  return have[1] !== need[1] ? have[1] > need[1] : have[2] >= need[2];
}

export function sameMinor(left: string, right: string): boolean {
  const a = numbers(left);
  const b = numbers(right);
  return a[0] === b[0] && a[1] === b[1];
}

export interface VersionProbe {
  readonly args: readonly string[];
  readonly pattern: RegExp;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Asks a program for its version; undefined when it cannot be run or says nothing that is understood. */
export async function probeVersion(path: string, probe: VersionProbe): Promise<string | undefined> {
  const output = await new Promise<string>((resolve) => {
    execFile(
      path,
      [...probe.args],
      { timeout: 20_000, env: { ...probe.env, PULUMI_SKIP_UPDATE_CHECK: 'true' }, maxBuffer: 1 << 20 },
      (_error, stdout, stderr) => resolve(`${stdout}\n${stderr}`),
    );
  });
  return probe.pattern.exec(output)?.[1];
}

/** `probeVersion`, remembered in `memoDir` for as long as the file at `path` does not change. */
export async function knownVersion(path: string, probe: VersionProbe, memoDir: string): Promise<string | undefined> {
  const { mtimeMs, size, ino } = await stat(path);
  const key = createHash('sha256')
    .update(JSON.stringify([path, mtimeMs, size, ino, probe.args]))
    .digest('hex');
  const memo = join(memoDir, key.slice(0, 32));
  const remembered = await readFile(memo, 'utf8').catch(() => '');
  if (remembered !== '') return remembered;
  const version = await probeVersion(path, probe);
  if (version === undefined) return undefined;
  // Only a memo: when the cache cannot be written, the next use asks again.
  try {
    await mkdir(memoDir, { recursive: true, mode: 0o700 });
    await writeFile(`${memo}.${process.pid}`, version);
    await rename(`${memo}.${process.pid}`, memo);
  } catch {
    return version;
  }
  return version;
}
