import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findNeo4j } from '../../../../toolchain/neo4j.ts';
import { layoutOf } from '../settings.ts';

/** Neo4j's admin program with a home of its own, so that it finds the pod's data folder and writes nothing else. */
const home = mkdtempSync(join(tmpdir(), 'neo4j-admin-'));
try {
  const { env } = process;
  const { data } = layoutOf(env);
  const { admin } = await findNeo4j({ env, onProgress: ({ message }) => process.stderr.write(`${message}\n`) });
  const conf = join(home, 'conf');
  mkdirSync(conf);
  writeFileSync(join(conf, 'neo4j.conf'), `server.directories.data=${data}\n`);
  const [program = '', ...words] = admin;
  const { PATH, JAVA_HOME, JAVA_OPTS } = env;
  const { status } = spawnSync(program, [...words, ...process.argv.slice(2)], {
    env: { PATH, JAVA_HOME, JAVA_OPTS, HOME: home, NEO4J_HOME: home, NEO4J_CONF: conf },
    stdio: 'inherit',
  });
  process.exitCode = status ?? 137;
} finally {
  rmSync(home, { recursive: true, force: true });
}
