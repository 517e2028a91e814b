import { setTimeout as delay } from 'node:timers/promises';
import { BackstayError } from '../../errors/index.ts';
import { type Link, listOf, textOf } from './connection.ts';
import { serverFacts } from './server.ts';

/** Between two looks whether the server has written its file, milliseconds. */
const AGAIN_MS = 50;

/**
 * Has a server that keeps its data in an RDB alone write it now: restarted before its next turn, it would come up as it
 * was before. A server with an append-only file has carried over every command already; one that keeps nothing, nothing.
 */
export async function saved(link: Link): Promise<void> {
  if (!(await savesFiles(link))) return;
  // One that was under way may have begun before what it has to hold.
  await idle(link);
  await link.send('BGSAVE');
  await idle(link);
  const persistence = textOf(await link.send('INFO', 'persistence'));
  if (/^rdb_last_bgsave_status:ok/m.test(persistence)) return;
  throw new BackstayError('STORE_FAILED', 'the server could not write its data to its disk (BGSAVE)', {
    next: 'Look at its log and at the room on its disk. Until it can, a restart loses what was done.',
  });
}

/** Whether it keeps its data in RDB files and nowhere else. One that does not tell is taken to do so. */
export async function savesFiles(link: Link): Promise<boolean> {
  const { hasAof } = await serverFacts(link);
  if (hasAof) return false;
  const [asked] = await link.pipeline([['CONFIG', 'GET', 'save']]);
  return asked instanceof Error || textOf(listOf(asked)[1]) !== '';
}

async function idle(link: Link): Promise<void> {
  while (/^rdb_bgsave_in_progress:1/m.test(textOf(await link.send('INFO', 'persistence')))) await delay(AGAIN_MS);
}
