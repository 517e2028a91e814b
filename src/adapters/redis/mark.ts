import { randomBytes } from 'node:crypto';
import { BackstayError } from '../../errors/index.ts';
import { type Argument, isAnswer, type Link, listOf, type Reply, textOf } from './connection.ts';

/**
 * The only key of ours, in the spare database: whose contents stand there and how far they have come. It never lies in
 * the live one, so that no application sees it; the exchange moves it within its own transaction.
 */
export const MARK = Buffer.from('backstay:store');

/** `restoring`: cut off unless somebody is at work. `before`: whole, and not exchanged. */
export type MarkState = 'restoring' | 'before' | 'swapped' | 'undone';

export interface Mark {
  readonly run: string;
  readonly state: MarkState;
  /** Id and digest of the backup. */
  readonly backup: string;
  /** Of whoever began last: what an earlier hand does is refused. */
  readonly hand: string;
}

export async function readMark(link: Link): Promise<Mark | undefined> {
  return markOf(await link.send('HGETALL', MARK));
}

export type NewMark = Omit<Mark, 'hand'>;

/** Writes the mark with a new hand. */
export function marking(mark: NewMark, hand: string): readonly Argument[] {
  return ['HSET', MARK, 'run', mark.run, 'state', mark.state, 'backup', mark.backup, 'hand', hand];
}

/** A name for one act of a run. */
export function newHand(run: string): string {
  return `${run}/${randomBytes(8).toString('hex')}`;
}

/**
 * Looks at the mark, decides what to do, and does it in one transaction, unless somebody changed the mark in between:
 * then nothing is done. The connection is in the spare database, and is again afterwards.
 * @throws STORE_FENCED, STORE_FAILED with the first thing that was refused
 */
export async function transact(
  link: Link,
  decide: (mark: Mark | undefined) => Promise<readonly (readonly Argument[])[]> | readonly (readonly Argument[])[],
): Promise<readonly Reply[]> {
  const [watched, found] = await link.pipeline([
    ['WATCH', MARK],
    ['HGETALL', MARK],
  ]);
  for (const answer of [watched, found]) if (answer instanceof Error) throw answer;
  let commands: readonly (readonly Argument[])[];
  try {
    commands = await decide(markOf(found));
  } catch (error) {
    await link.send('UNWATCH');
    throw error;
  }
  const answers = await link.pipeline([['MULTI'], ...commands, ['EXEC']]);
  const done = answers.at(-1);
  const refused = answers.find((answer) => answer instanceof Error && isAnswer(answer));
  if (refused !== undefined) throw refused;
  if (done === null) throw fenced('another process took it over at this moment');
  const results = listOf(done);
  for (const result of results) if (result instanceof Error) throw result;
  return results;
}

/** Whether a server refuses because its memory is full: it then takes no transaction at all, not even one that frees. */
export function isFull(error: unknown): boolean {
  return error instanceof Error && /\bOOM\b/.test(error.message);
}

const CLEAR = `
if redis.call('HGET', KEYS[1], 'hand') ~= ARGV[1] then return 0 end
redis.call('FLUSHDB', 'ASYNC')
return 1`;

/** Empties the spare database, as long as this hand has it. @throws STORE_FENCED */
export async function clear(link: Link, hand: string): Promise<void> {
  try {
    await transact(link, (mark) => {
      held(mark, hand);
      return [['FLUSHDB', 'ASYNC']];
    });
  } catch (error) {
    if (!isFull(error)) throw error;
    if ((await link.send('EVAL', CLEAR, '1', MARK, hand)) !== 1) throw fenced('another process took it over');
  }
}

/** The mark, when it is of this run. @throws STORE_FENCED when another run's stands there */
export function ours(mark: Mark | undefined, run: string): Mark | undefined {
  if (mark === undefined || mark.run === run) return mark;
  throw fenced(`it belongs to run ${mark.run} by now`, mark.run);
}

/** @throws STORE_FENCED unless this hand is the last that took it */
export function held(mark: Mark | undefined, hand: string): Mark {
  if (mark?.hand === hand) return mark;
  throw mark === undefined
    ? fenced('its fence is gone')
    : fenced(`it belongs to run ${mark.run} by now (${mark.hand}, ours is ${hand})`, mark.run);
}

function fenced(why: string, holder?: string): BackstayError {
  return new BackstayError(
    'STORE_FENCED',
    `the spare database: ${why}`,
    holder === undefined ? {} : { details: { holder } },
  );
}

function markOf(reply: Reply | undefined): Mark | undefined {
  const fields = listOf(reply).map(textOf);
  const value = (name: string): string => fields[fields.indexOf(name) + 1] ?? '';
  if (fields.length === 0) return undefined;
  return { run: value('run'), state: value('state') as MarkState, backup: value('backup'), hand: value('hand') };
}
