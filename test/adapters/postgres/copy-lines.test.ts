import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { copyLines } from '../../../src/adapters/postgres/store/copy-lines.ts';

const TABLE = { schema: 'public', table: 'Odd "name' };
const HEAD = 'COPY public."Odd ""name" (id, "Col") FROM stdin;';

/** In pieces of these sizes, one after another, over and over. */
async function* cut(text: string, sizes: readonly number[]): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text);
  for (let [at, turn] = [0, 0]; at < bytes.length; turn += 1) {
    const size = sizes[turn % sizes.length] ?? 1;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

async function filtered(text: string, sizes: readonly number[] = [1 << 16], table = TABLE): Promise<string> {
  const seen: Buffer[] = [];
  for await (const chunk of copyLines(cut(text, sizes), table, '"beside"."then"')) seen.push(chunk);
  return Buffer.concat(seen).toString();
}

const rowsOf = (rows: readonly string[]): string => [...rows, '\\.'].map((row) => `${row}\n`).join('');
const before = `--\n-- PostgreSQL database dump\n--\n\\restrict abc\nSET client_encoding = 'UTF8';\nSELECT 1;\n`;
const after = `\nSELECT pg_catalog.setval('public.s', 5, true);\nDROP TABLE users;\n`;

describe('the rows of one table out of a dump', () => {
  // As COPY writes them: no row has an end of line within, and none is `\.` alone.
  const row = fc
    .string({ unit: 'binary' })
    .map((text) => text.replaceAll(/[\n\r]/g, '\\n'))
    .filter((text) => text !== '\\.');

  it('are all that is let through, wherever the pieces begin and end', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(row),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
        async (rows, sizes) => {
          const found = await filtered(`${before}${HEAD}\n${rowsOf(rows)}${after}`, sizes);
          expect(found).toBe(
            Buffer.from(
              `SET client_encoding = 'UTF8';\nCOPY "beside"."then" (id, "Col") FROM stdin;\n${rowsOf(rows)}`,
            ).toString(),
          );
        },
      ),
    );
  });

  it.each([
    ['quoted as a whole', '"public"."Odd ""name"'],
    ['quoted where it must be', 'public."Odd ""name"'],
  ])('are found when its name is %s', async (_, name) => {
    expect(await filtered(`COPY ${name} (id) FROM stdin;\n${rowsOf(['1'])}`)).toContain('(id) FROM stdin;\n1\n');
  });

  it.each([
    ['nothing', '', 'no rows'],
    ['those of another table', `COPY public.users (id) FROM stdin;\n${rowsOf(['1'])}`, 'no rows'],
    ['a beginning', `${HEAD}\n1\t2\n`, 'not all rows'],
    ['a row that looks like an end', `${HEAD}\n1\\.\n\\.x\n`, 'not all rows'],
  ])('are missed, and said to be, where there is %s', async (_, text, message) => {
    await expect(filtered(text)).rejects.toMatchObject({
      code: 'STORE_FAILED',
      message: expect.stringContaining(message),
    });
  });

  it('never come from the rows of another table', async () => {
    const other = `COPY public.users (id) FROM stdin;\n${rowsOf([HEAD, '9\t9'])}`;
    const own = `${HEAD}\n${rowsOf(['1\t2'])}`;
    expect(await filtered(`${other}${own}`)).toBe('COPY "beside"."then" (id, "Col") FROM stdin;\n1\t2\n\\.\n');
  });
});
