import { Client } from 'pg';
import type { TestPostgres } from '../../test/support/postgres-server.ts';

/**
 * Clients that connect, read a row and go, without a pause, while something is done. `longestMs`: the longest time that one of
 * them had no answer, from one that it got to the next.
 */
export async function gapsDuring<T>(
  server: TestPostgres,
  database: string,
  count: number,
  act: () => Promise<T>,
): Promise<{ readonly result: T; readonly longestMs: number }> {
  const stop = new AbortController();
  const answered = Array.from({ length: count }, (): number[] => []);
  const clients = answered.map(async (times) => {
    while (!stop.signal.aborted) if (await asks(server, database)) times.push(performance.now());
  });
  const all = async (since: number): Promise<void> => {
    while (answered.some((times) => (times.at(-1) ?? 0) <= since)) await new Promise((go) => setTimeout(go, 5));
  };
  try {
    await all(0);
    const result = await act();
    await all(performance.now());
    return {
      result,
      longestMs: Math.max(...answered.flatMap((times) => times.slice(1).map((at, i) => at - (times[i] ?? at)))),
    };
  } finally {
    stop.abort();
    await Promise.all(clients);
  }
}

async function asks(server: TestPostgres, database: string): Promise<boolean> {
  const client = new Client({ ...server.connection(database), ssl: false, password: server.password });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('SELECT title FROM documents WHERE id = 1');
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}
