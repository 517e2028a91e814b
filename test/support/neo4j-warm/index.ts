import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { findNeo4j, type Neo4jTools } from '../../../src/toolchain/neo4j.ts';

export interface WarmTools extends Neo4jTools {
  stop(): Promise<void>;
}

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/**
 * Neo4j's own programs with their JVM already warm, for suites that call them a hundred times: what these spend is Java's
 * start, two seconds each. Everything that is killed is tested with the programs themselves. A Java without its compiler
 * has no warm one; the programs do then.
 */
export async function warmTools(): Promise<WarmTools> {
  const tools = await findNeo4j();
  const [admin = ''] = tools.admin;
  const lib = join(dirname(dirname(admin)), 'lib');
  const isOurs = (await readdir(lib).catch(() => [])).some((name) => name.startsWith('neo4j-command-line-'));
  const java = process.env['JAVA_HOME'] === undefined ? 'java' : join(process.env['JAVA_HOME'], 'bin', 'java');
  const cold = { ...tools, stop: async () => undefined };
  if (!isOurs) return cold;
  const dir = await mkdtemp(join(tmpdir(), 'backstay-warm-'));
  const socket = join(dir, 'socket');
  const flags = ['-Xmx768m', '-XX:+UseSerialGC', '-Xss1m'];
  const opens = ['java.nio', 'java.io', 'sun.nio.ch'].map((name) => `--add-opens=java.base/${name}=ALL-UNNAMED`);
  const child = spawn(java, [...flags, ...opens, '-cp', `${lib}/*`, here('Warm.java'), socket], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const exited = once(child, 'exit');
  const stop = async (): Promise<void> => {
    child.stdin.destroy();
    await exited;
    await rm(dir, { recursive: true, force: true });
  };
  const said = createInterface({ input: child.stdout });
  const isWarm = await Promise.race([once(said, 'line').then(() => true), exited.then(() => false)]);
  if (!isWarm) {
    await rm(dir, { recursive: true, force: true });
    return cold;
  }
  const program = async (name: string, words: string): Promise<string> => {
    const file = join(dir, name);
    await writeFile(file, `#!/bin/sh\nexec "${process.execPath}" "${here('client.mjs')}" "${socket}" ${words}\n`);
    await chmod(file, 0o755);
    return file;
  };
  return {
    version: tools.version,
    admin: [await program('neo4j-admin', 'admin "$@"')],
    console: [await program('neo4j', '"$@"'), 'console'],
    stop,
  };
}
