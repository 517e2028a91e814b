import { once } from 'node:events';
import type { TestNeo4j } from '../../support/neo4j-server.ts';
import { storeOn } from './support.ts';

/** A process of its own that restores the newest backup, so that it can be killed. Its server comes over its channel. */
const [given] = (await once(process, 'message')) as [{ readonly neo4j: TestNeo4j; readonly root: string }];
const store = storeOn(given.neo4j, given.root);
await store.restoreBeside(await store.find('latest'), 'r1');
process.send?.('done');
