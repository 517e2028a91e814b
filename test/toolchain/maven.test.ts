import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fetchJars, type Jar, jarName, parseJars } from '../../src/toolchain/maven.ts';

const LIST = new URL('../../src/toolchain/recipes/neo4j/jars.txt', import.meta.url);
const CONTENT = 'the artifact';
const sha256 = createHash('sha256').update(CONTENT).digest('hex');
const jar: Jar = { group: 'org.example', artifact: 'part', version: '1.2', bytes: CONTENT.length, sha256 };

describe('pinned artifacts of Maven', () => {
  it('are read from a list, and a line that is none is named', () => {
    expect(parseJars(`org.example:part:1.2 12 ${sha256}\norg.example:part:1.2:linux 3 ${sha256}\n`)).toEqual([
      jar,
      { ...jar, bytes: 3, classifier: 'linux' },
    ]);
    for (const line of ['org.example:part 12', `org.example:part:1.2 12 ${sha256.slice(1)}`, `a:b:1 many ${sha256}`])
      expect(() => parseJars(line)).toThrow(line);
  });

  it('make a whole Neo4j, none of them twice', async () => {
    const jars = parseJars(await readFile(LIST, 'utf8'));
    expect(jars.length).toBeGreaterThan(200);
    expect(new Set(jars.map(jarName)).size).toBe(jars.length);
    expect(jars.filter(({ group }) => group === 'org.neo4j').every(({ version }) => version === '5.26.30')).toBe(true);
  });
});

describe('fetching artifacts by Maven', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'backstay-maven-'));
  });
  afterEach(async () => await rm(dir, { recursive: true, force: true }));

  /** A Maven that serves this content for every artifact, and says so as Maven does. */
  async function fakeMaven(content: string, exitCode = 0): Promise<string> {
    const bin = join(dir, 'bin');
    await mkdir(bin);
    await writeFile(
      join(bin, 'mvn'),
      `#!/bin/sh
for argument; do case $argument in -DoutputDirectory=*) into=\${argument#*=};; esac; done
printf '%s' '${content}' >"$into/part-1.2.jar"
echo '[INFO] Downloaded from somewhere: place/org/example/part/1.2/part-1.2.jar (12 B at 1 B/s)'
echo '[ERROR] nothing of the kind'
exit ${exitCode}
`,
    );
    await chmod(join(bin, 'mvn'), 0o755);
    return `${bin}:/usr/bin:/bin`;
  }
  const fetch = async (PATH: string, told: number[] = []): Promise<void> =>
    await fetchJars(
      { tool: 'thing', jars: [jar], into: join(dir, 'lib') },
      { temporary: dir, env: { PATH }, say: (_message, fraction = Number.NaN) => told.push(fraction) },
    );

  it('takes what is as pinned, and tells how far it is', async () => {
    const told: number[] = [];
    await fetch(await fakeMaven(CONTENT), told);
    expect(await readFile(join(dir, 'lib', 'part-1.2.jar'), 'utf8')).toBe(CONTENT);
    expect(told).toEqual([0, 1]);
    expect(await readFile(join(dir, 'pom.xml'), 'utf8')).toContain(
      '<artifactId>part</artifactId><version>1.2</version>',
    );
  });

  it('refuses what is not', async () => {
    const refused = { code: 'TOOL_BUILD_FAILED', message: expect.stringContaining('part-1.2.jar') };
    await expect(fetch(await fakeMaven('another one'))).rejects.toMatchObject(refused);
  });

  it('tells what Maven said when it could not', async () => {
    const refused = { code: 'TOOL_MISSING', next: expect.stringContaining('nothing of the kind') };
    await expect(fetch(await fakeMaven(CONTENT, 1))).rejects.toMatchObject(refused);
  });

  it('tells that there is no Maven', async () => {
    await expect(fetch(join(dir, 'nowhere'))).rejects.toMatchObject({ code: 'TOOL_MISSING' });
  });
});
