import { afterAll } from 'vitest';
import { dataStoreContract } from '../../contracts/data-store.ts';
import { startTestNeo4j, type TestNeo4j } from '../../support/neo4j-server.ts';
import { type WarmTools, warmTools } from '../../support/neo4j-warm/index.ts';
import { makeFixture } from './support.ts';

/** One server and one JVM for all of them: what these tests would wait for is Java, not its graph. */
let warm: WarmTools | undefined;
let neo4j: Promise<TestNeo4j> | undefined;

async function start(): Promise<TestNeo4j> {
  warm = await warmTools();
  return await startTestNeo4j(warm);
}

afterAll(async () => {
  await (await neo4j)?.stop();
  await warm?.stop();
});

// What is cut off in its middle is cut off with the programs themselves, in faults.test.ts.
dataStoreContract('Neo4j', async () => await makeFixture(await (neo4j ??= start())), {
  limit: 300_000,
  lacks: ['spoil', 'untilRestoring'],
});
