import { setTimeout as delay } from 'node:timers/promises';
import { BackstayError } from '../../errors/index.ts';
import { type Link, listOf, textOf } from './connection.ts';
import { serverFacts } from './server.ts';

/** Between two looks whether the server has written its file, milliseconds. */
const AGAIN_MS = 50;

/**
 * Sees to it that a server which ends without a word comes up again with what was done. One that keeps an RDB file alone
 * writes it now, or would come up as it was at its last turn. One with an append-only file may hold back what it has yet
 * to write while its disk is busy: that is waited for. One that keeps nothing, keeps nothing.
 */
export async function saved(link: Link): Promise<void> {
  const how = await persistenceOf(link);
  if (how === 'nothing') return;
  if (how === 'aof') {
    await until(link, /^aof_buffer_length:0\b/m);
    return;
  }
  // One that was under way may have begun before what it has to hold.
  await until(link, IDLE);
  await link.send('BGSAVE');
  const persistence = await until(link, IDLE);
  if (/^rdb_last_bgsave_status:ok/m.test(persistence)) return;
  throw new BackstayError('STORE_FAILED', 'the server could not write its data to its disk (BGSAVE)', {
    next: 'Look at its log and at the room on its disk. Until it can, a restart loses what was done.',
  });
}

const IDLE = /^rdb_bgsave_in_progress:0/m;

/** One that does not tell is taken to keep RDB files. */
export async function persistenceOf(link: Link): Promise<'aof' | 'rdb' | 'nothing'> {
  const { hasAof } = await serverFacts(link);
  if (hasAof) return 'aof';
  const [asked] = await link.pipeline([['CONFIG', 'GET', 'save']]);
  return asked instanceof Error || textOf(listOf(asked)[1]) !== '' ? 'rdb' : 'nothing';
}

/** Asks for its state until that matches, and gives it. */
async function until(link: Link, pattern: RegExp): Promise<string> {
  for (;;) {
    const persistence = textOf(await link.send('INFO', 'persistence'));
    if (pattern.test(persistence)) return persistence;
    await delay(AGAIN_MS);
  }
}
