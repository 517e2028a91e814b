/**
 * Asks a service which runs a stack had: `BACKSTAY_SERVER=… BACKSTAY_TOKEN=… node examples/library/ask-service.ts STACK`.
 * Nothing is needed here but the address and a token: no stack file, no cluster, no keys.
 */
import { createClient } from 'backstay';

const { BACKSTAY_SERVER: server = 'http://127.0.0.1:8080', BACKSTAY_TOKEN: token } = process.env;
const client = createClient({ server, ...(token === undefined ? {} : { token: () => Promise.resolve(token) }) });
for (const run of await client.runs({ stack: process.argv[2] ?? '', limit: 20 }))
  console.log(`${run.run} ${run.kind === 'run' ? run.outcome : run.why}`);
