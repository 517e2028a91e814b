import { createHash } from 'node:crypto';
import { BackstayError } from '../../errors/index.ts';
import type { Swapped, SwapState } from '../../ports/index.ts';
import { type Ask, FENCED, identifier, literal } from './sqlcmd.ts';

/** Characters of a name. */
const LONGEST = 128;
/** On the live database: the run that began last. It goes along when the database is renamed. */
const RUN = 'backstay.run';
/** On a restored one, when its restore is proven: the backup's id. What has none is half of something. */
export const WHOLE = 'backstay.restored';

export interface Names {
  readonly live: string;
  readonly beside: string;
  readonly previous: string;
  readonly undone: string;
}

/** A run's databases. Long names are cut and told apart by a digest. */
export function namesOf(live: string, run: string): Names {
  const tag = `__bs_${run.replaceAll('-', '')}`;
  const fits = live.length + tag.length + '_undone'.length <= LONGEST;
  const digest = createHash('sha256').update(`${live}/${run}`).digest('hex').slice(0, 12);
  const base = fits ? `${live}${tag}` : `${live.slice(0, 90)}__bs_${digest}`;
  return { live, beside: base, previous: `${base}_prev`, undone: `${base}_undone` };
}

export async function existing(ask: Ask, names: Names): Promise<ReadonlySet<keyof Names>> {
  const rows = await ask('SELECT name FROM sys.databases');
  const there = new Set(rows.map(([name]) => name));
  return new Set((Object.keys(names) as (keyof Names)[]).filter((key) => there.has(names[key])));
}

/**
 * Where an exchange stands, by the names on the server. Two renames cannot be one transaction here: between them nobody has
 * the live name, which counts as not yet done, and the act ends it when it is asked again.
 */
export function stateBy(there: ReadonlySet<keyof Names>): SwapState {
  if (there.has('previous')) return there.has('live') || there.has('undone') ? 'swapped' : 'before';
  if (there.has('undone')) return 'undone';
  return there.has('beside') ? 'before' : 'nothing';
}

/** Takes the live database for a run: exchanges of others are refused from now on. */
export async function raiseFence(ask: Ask, live: string, run: string): Promise<void> {
  await ask(setProperty(live, RUN, run));
}

/** @throws STORE_FENCED, STORE_FAILED */
export async function swap(ask: Ask, names: Names, run: string): Promise<Swapped> {
  const there = await existing(ask, names);
  if (stateBy(there) === 'swapped') return { kept: names.previous, unavailableMs: 0 };
  if (stateBy(there) !== 'before') throw refused(`run ${run} has restored nothing beside ${names.live}`);
  if ((await property(ask, names.beside, WHOLE)) === undefined)
    throw refused(`${names.beside} was never restored to its end`);
  const began = performance.now();
  if (there.has('live')) await ask(renaming(names.live, names.previous, names.live, run));
  await ask(renaming(names.beside, names.live, names.previous, run));
  return await arrived(ask, names, 'swapped', names.previous, began);
}

/** The same backwards. What was exchanged in is kept as well, until finalized. */
export async function undoSwap(ask: Ask, names: Names, run: string): Promise<Swapped> {
  const there = await existing(ask, names);
  if (stateBy(there) === 'undone') return { kept: names.undone, unavailableMs: 0 };
  if (stateBy(there) !== 'swapped') throw refused(`run ${run} has not exchanged ${names.live}, or finalized it`);
  const began = performance.now();
  if (there.has('live')) await ask(renaming(names.live, names.undone, names.previous, run));
  await ask(renaming(names.previous, names.live, names.previous, run));
  return await arrived(ask, names, 'undone', names.undone, began);
}

/** Drops what was kept and what was left beside, unless an exchange stopped between its two renames. */
export async function finalize(ask: Ask, names: Names): Promise<readonly string[]> {
  const there = await existing(ask, names);
  if (!there.has('live')) {
    if (there.size === 0) return [];
    throw refused(`nobody has the name ${names.live}: the exchange has to come to its end first`);
  }
  const kept = (['beside', 'previous', 'undone'] as const).filter((key) => there.has(key)).map((key) => names[key]);
  for (const name of kept) await drop(ask, name);
  return kept;
}

/** Whatever state an interrupted restore left it in. */
export async function drop(ask: Ask, name: string): Promise<void> {
  const [row] = await ask(`SELECT state_desc FROM sys.databases WHERE name = ${literal(name)}`);
  if (row === undefined) return;
  // One that is still being restored has no sessions, and takes no other setting.
  if (row[0] === 'ONLINE') await ask(`ALTER DATABASE ${identifier(name)} SET SINGLE_USER WITH ROLLBACK IMMEDIATE`);
  await ask(`DROP DATABASE ${identifier(name)}`);
}

/** An extended property of a database; undefined where it has none. */
export async function property(ask: Ask, database: string, name: string): Promise<string | undefined> {
  const [row] = await ask(
    `SELECT CAST(value AS nvarchar(200)) FROM ${identifier(database)}.sys.extended_properties WHERE class = 0 AND name = ${literal(name)}`,
  );
  return row?.[0];
}

export function setProperty(database: string, name: string, value: string): string {
  const at = identifier(database);
  const exists = `EXISTS (SELECT 1 FROM ${at}.sys.extended_properties WHERE class = 0 AND name = ${literal(name)})`;
  const given = `@name = ${literal(name)}, @value = ${literal(value)}`;
  return `IF ${exists} EXEC ${at}.sys.sp_updateextendedproperty ${given} ELSE EXEC ${at}.sys.sp_addextendedproperty ${given}`;
}

/**
 * One rename in one batch, behind the fence that a database carries. The session is itself in the database when it takes
 * it for itself alone, so that nobody else can be the one that is let in.
 */
function renaming(from: string, to: string, fence: string, run: string): string {
  const [name, next] = [identifier(from), identifier(to)];
  const holder = `(SELECT CAST(value AS nvarchar(200)) FROM ${identifier(fence)}.sys.extended_properties WHERE class = 0 AND name = ${literal(RUN)})`;
  return [
    `IF ISNULL(${holder}, N'') <> ${literal(run)} THROW ${FENCED}, N'backstay: another run has taken the database over', 1;`,
    `BEGIN TRY USE ${name};`,
    `ALTER DATABASE ${name} SET SINGLE_USER WITH ROLLBACK IMMEDIATE;`,
    `ALTER DATABASE ${name} MODIFY NAME = ${next};`,
    // Whichever name it has by now: it must not stay closed to everybody else.
    `ALTER DATABASE CURRENT SET MULTI_USER; END TRY`,
    `BEGIN CATCH ALTER DATABASE CURRENT SET MULTI_USER; THROW; END CATCH;`,
    'USE master;',
  ].join(' ');
}

async function arrived(ask: Ask, names: Names, wanted: SwapState, kept: string, began: number): Promise<Swapped> {
  const unavailableMs = Math.round(performance.now() - began);
  const there = await existing(ask, names);
  if (stateBy(there) === wanted && there.has('live')) return { kept, unavailableMs };
  throw new BackstayError(
    'STORE_FAILED',
    `the server does not have the names that it was told to have: ${[...there].join(', ')}`,
  );
}

function refused(why: string): BackstayError {
  return new BackstayError('STORE_FAILED', why, { next: 'Nothing was exchanged.' });
}
