import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { BackstayError } from '../errors/index.ts';
import type { BundleWork } from './bundle.ts';
import { runChild, toldBy } from './child.ts';

/** One pinned artifact: what Maven calls it, how long it is and what it must be. */
export interface Jar {
  readonly group: string;
  readonly artifact: string;
  readonly version: string;
  readonly classifier?: string;
  readonly bytes: number;
  /** Hex. */
  readonly sha256: string;
}

export interface JarsRequest {
  /** Named by errors. */
  readonly tool: string;
  readonly jars: readonly Jar[];
  /** Where they end up, as `artifact-version.jar`. */
  readonly into: string;
}

/** A plugin of Maven's own, pinned: the oldest that later Mavens run as well. */
const COPY = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies';

/** A line of a list: `group:artifact:version[:classifier] bytes sha256`. @throws TypeError naming the line */
export function parseJars(text: string): readonly Jar[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [coordinates = '', bytes = '', sha256 = ''] = line.split(' ');
      const [group = '', artifact = '', version = '', classifier] = coordinates.split(':');
      if (version === '' || !/^\d+$/.test(bytes) || !/^[0-9a-f]{64}$/.test(sha256))
        throw new TypeError(`this is no pinned artifact: ${line}`);
      return {
        group,
        artifact,
        version,
        bytes: Number(bytes),
        sha256,
        ...(classifier === undefined ? {} : { classifier }),
      };
    });
}

export function jarName({ artifact, version, classifier }: Jar): string {
  return `${artifact}-${version}${classifier === undefined ? '' : `-${classifier}`}.jar`;
}

/**
 * Brings artifacts by Maven, which knows the mirrors of this machine; each exactly as pinned, and nothing that it depends on
 * unless it is listed as well. Errors: TOOL_MISSING without Maven or its repository, TOOL_BUILD_FAILED for a wrong digest.
 */
export async function fetchJars({ tool, jars, into }: JarsRequest, work: BundleWork): Promise<void> {
  const { env, signal, say, temporary } = work;
  const maven = (env['PATH'] ?? '').split(delimiter).map((dir) => join(dir, 'mvn'));
  const mvn = maven.find((file) => existsSync(file));
  if (mvn === undefined)
    throw new BackstayError('TOOL_MISSING', `${tool}: not found, and there is no mvn on PATH to fetch it`, {
      next: `Install ${tool}, or Maven.`,
    });
  await mkdir(into, { recursive: true });
  const pom = join(temporary, 'pom.xml');
  await writeFile(pom, pomOf(jars));
  const total = jars.reduce((sum, { bytes }) => sum + bytes, 0);
  const sizes = new Map(jars.map((jar) => [jarName(jar), jar.bytes]));
  let seen = 0;
  const onLine = (line: string): void => {
    const name = /^(?:\[INFO\] )?Downloaded from .*\/([^/ ]+\.jar) /.exec(line)?.[1] ?? '';
    const size = sizes.get(name);
    if (size === undefined) return;
    seen += size;
    say(`downloading ${name}`, seen / total);
  };
  say(`asking Maven for ${jars.length} artifacts`, 0);
  const settings = [`-Dmaven.repo.local=${join(temporary, 'repository')}`, `-DoutputDirectory=${into}`];
  const { exitCode, tail } = await runChild([mvn, '-B', '-f', pom, ...settings, COPY], {
    cwd: temporary,
    env: { ...env, LC_ALL: 'C' },
    onLine,
    ...(signal === undefined ? {} : { signal }),
  });
  if (exitCode !== 0)
    throw new BackstayError('TOOL_MISSING', `${tool}: Maven could not fetch it`, toldBy(tail, errorsIn(tail)));
  for (const jar of jars) await assertPinned(tool, into, jar);
}

/** Maven says why first, and then how to ask it for more. */
function errorsIn(tail: readonly string[]): readonly string[] {
  return tail.filter((line) => line.includes('ERROR')).slice(0, 2);
}

async function assertPinned(tool: string, into: string, jar: Jar): Promise<void> {
  const name = jarName(jar);
  const content = await readFile(join(into, name)).catch(() => undefined);
  const found = content === undefined ? 'nothing' : createHash('sha256').update(content).digest('hex');
  if (found === jar.sha256) return;
  throw new BackstayError('TOOL_BUILD_FAILED', `${tool}: ${name} is not the artifact that was pinned`, {
    details: { wanted: jar.sha256, found },
    next: 'A mirror of this machine serves something else under its name: find out why before anything else.',
  });
}

/** Every artifact for itself: what it would bring along is excluded, for it is in the list or not wanted. */
function pomOf(jars: readonly Jar[]): string {
  const none = '<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>';
  const dependencies = jars.map(({ group, artifact, version, classifier }) => {
    const more = classifier === undefined ? '' : `<classifier>${classifier}</classifier>`;
    return `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version>${more}${none}</dependency>`;
  });
  return `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>dev.backstay</groupId><artifactId>tool</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>
${dependencies.join('\n')}
</dependencies></project>
`;
}
