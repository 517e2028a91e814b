import { BackstayError } from '../../../errors/index.ts';
import { identifier } from './connection.ts';

const END = Buffer.from('\n\\.\n');
/** How a dump says in which encoding its rows are. */
const ENCODING = /^SET client_encoding = '[A-Za-z0-9_-]+';$/;

const COPY = /^COPY .* FROM stdin;$/;

interface Named {
  readonly schema: string;
  readonly table: string;
}

/**
 * Out of what pg_restore writes for one table: its rows alone, to be copied into another one (`into`, quoted). Nothing else of
 * a dump is let through, so that nothing else of it is done.
 * @throws STORE_FAILED when there are no rows of that table in it, or they do not come to an end
 */
export async function* copyLines(chunks: AsyncIterable<Buffer>, from: Named, into: string): AsyncGenerator<Buffer> {
  let state: 'before' | 'within' | 'after' = 'before';
  /** Rows of another table go by, and whatever they say is theirs. */
  let elsewhere = false;
  let held: Buffer = Buffer.alloc(0);
  for await (const chunk of chunks) {
    if (state === 'after') continue;
    held = Buffer.concat([held, chunk]);
    while (state === 'before') {
      const at = held.indexOf(10);
      if (at === -1) break;
      const line = held.subarray(0, at).toString();
      const columns = elsewhere ? undefined : columnsOf(line, from);
      if (columns !== undefined) {
        state = 'within';
        // The line's own end stays: an empty table ends with it.
        held = held.subarray(at);
        yield Buffer.from(`COPY ${into} ${columns} FROM stdin;`);
        break;
      }
      if (elsewhere) elsewhere = line !== '\\.';
      else if (ENCODING.test(line)) yield Buffer.from(`${line}\n`);
      else elsewhere = COPY.test(line);
      held = held.subarray(at + 1);
    }
    if (state === 'before') continue;
    const end = held.indexOf(END);
    if (end === -1) {
      const safe = Math.max(0, held.length - END.length + 1);
      yield held.subarray(0, safe);
      held = held.subarray(safe);
      continue;
    }
    yield held.subarray(0, end + END.length);
    state = 'after';
  }
  if (state !== 'after')
    throw new BackstayError(
      'STORE_FAILED',
      `the backup has ${state === 'before' ? 'no rows' : 'not all rows'} of ${from.schema}.${from.table}`,
    );
}

/** `("id", title)` of the line with which the rows of this table begin; names are quoted there only where they must be. */
function columnsOf(line: string, { schema, table }: Named): string | undefined {
  for (const first of [schema, identifier(schema)])
    for (const second of [table, identifier(table)]) {
      const head = `COPY ${first}.${second} `;
      const tail = ' FROM stdin;';
      if (line.startsWith(`${head}(`) && line.endsWith(`)${tail}`)) return line.slice(head.length, -tail.length);
    }
  return undefined;
}
