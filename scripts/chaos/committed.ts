import type { Effects } from './effects.ts';

/** One thing that a server wrote to its log: `65f1a2b3.1c2d books LOG:  statement: COMMIT`, and the lines that belong to it. */
interface LogRecord {
  readonly session: string;
  /** To which its session is connected. */
  readonly database: string;
  readonly level: string;
  readonly text: string;
}

const HEAD = /^(?<session>[0-9a-f]+\.[0-9a-f]+) (?<database>\S*) (?<level>[A-Z]+): {2}(?<text>.*)$/;
const STATEMENT = /^(?:statement|execute [^:]*): (?<sql>.*)$/s;

/**
 * Exchanges of a database's name, and the beginning and the end of a run in the journal, as often as they were committed, by the
 * log of the server with `log_statement=all` and `log_line_prefix='%c %d '`. A statement within a transaction counts when its session
 * went on to COMMIT; one of its own when no error follows it.
 */
export function committedEffects(log: string, names: { readonly data: string; readonly journal: string }): Effects {
  const counted = new Map<string, number>();
  const inTransaction = new Map<string, string[]>();
  const alone = new Map<string, string>();
  const count = (effect: string): void => void counted.set(effect, (counted.get(effect) ?? 0) + 1);
  const settle = (session: string): void => {
    const effect = alone.get(session);
    if (effect !== undefined) count(effect);
    alone.delete(session);
  };
  let journaling: string | undefined;
  for (const { session, database, level, text } of recordsOf(log)) {
    if (level === 'ERROR' || level === 'FATAL') {
      inTransaction.delete(session);
      alone.delete(session);
      continue;
    }
    const sql = STATEMENT.exec(text)?.groups?.['sql'];
    const effect =
      sql === undefined
        ? level === 'DETAIL' && journaling === session && database === names.journal
          ? journaled(text)
          : undefined
        : exchanged(sql, names.data);
    if (sql !== undefined) {
      settle(session);
      journaling = sql.includes('INSERT INTO backstay.entries') ? session : undefined;
      if (/^(?:BEGIN|START TRANSACTION)/i.test(sql)) inTransaction.set(session, []);
      if (/^(?:COMMIT|END)/i.test(sql)) for (const one of inTransaction.get(session) ?? []) count(one);
      if (/^(?:COMMIT|END|ROLLBACK|ABORT)/i.test(sql)) inTransaction.delete(session);
    }
    if (effect === undefined) continue;
    const transaction = inTransaction.get(session);
    if (transaction === undefined) alone.set(session, effect);
    else transaction.push(effect);
  }
  for (const session of alone.keys()) settle(session);
  return counted;
}

function recordsOf(log: string): readonly LogRecord[] {
  const records: { session: string; database: string; level: string; text: string }[] = [];
  for (const line of log.split('\n')) {
    const { session, database = '', level, text } = HEAD.exec(line)?.groups ?? {};
    const last = records.at(-1);
    if (session !== undefined && level !== undefined && text !== undefined)
      records.push({ session, database, level, text });
    else if (last !== undefined) last.text += `\n${line}`;
  }
  return records;
}

function exchanged(sql: string, name: string): string | undefined {
  const [, from = '', to = ''] = /^ALTER DATABASE "([^"]+)" RENAME TO "([^"]+)"/i.exec(sql) ?? [];
  if (from === name) return 'exchange: live set aside';
  return to === name ? 'exchange: restored made live' : undefined;
}

/** The fifth parameter of an entry is its kind. */
function journaled(detail: string): string | undefined {
  const kind = /\$5 = '([^']*)'/.exec(detail)?.[1];
  return kind === 'run-created' || kind === 'run-ended' ? `journal: ${kind}` : undefined;
}
