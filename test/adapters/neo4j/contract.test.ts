import { afterAll } from 'vitest';
import { dataStoreContract } from '../../contracts/data-store.ts';
import { startTestNeo4j, type TestNeo4j } from '../../support/neo4j-server.ts';
import { makeFixture } from './support.ts';

/** One server for all of them: its JVM takes longer to start than most of these tests take. */
let neo4j: Promise<TestNeo4j> | undefined;

afterAll(async () => await (await neo4j)?.stop());

dataStoreContract('Neo4j', async () => await makeFixture(await (neo4j ??= startTestNeo4j())), 300_000);
