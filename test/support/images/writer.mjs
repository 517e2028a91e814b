// Writes a row every 100 ms for as long as it lives, and goes on writing for a while after it was asked to go: a pod that
// is deleted has not stopped. GET / answers 503 while CLOSED is true; GET /health 200 while it can write.
import { createServer } from 'node:http';
import pg from 'pg';

const {
  APP = 'writer',
  PGHOST = '127.0.0.1',
  PGPORT,
  PGUSER,
  PGPASSWORD,
  PGDATABASE,
  CLOSED,
  PORT = '8080',
} = process.env;
let isWell = false;
const over = new AbortController();

async function write() {
  while (!over.signal.aborted) {
    const client = new pg.Client({
      host: PGHOST,
      port: Number(PGPORT),
      user: PGUSER,
      password: PGPASSWORD,
      database: PGDATABASE,
      application_name: APP,
    });
    client.on('error', () => (isWell = false));
    try {
      await client.connect();
      while (!over.signal.aborted) {
        await client.query('INSERT INTO ticks (by) VALUES ($1)', [APP]);
        isWell = true;
        await pause(100);
      }
    } catch {
      isWell = false;
      await pause(100);
    }
    await client.end().catch(() => undefined);
  }
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

const server = createServer((request, response) => {
  const status = request.url === '/health' ? (isWell ? 200 : 500) : CLOSED === 'true' ? 503 : 200;
  response.writeHead(status).end(`${APP}\n`);
});
server.listen(Number(PORT));
process.on('SIGTERM', async () => {
  await pause(500);
  over.abort();
  await writing;
  process.exit(0);
});
const writing = write();
