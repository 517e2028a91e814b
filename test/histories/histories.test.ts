import { readdir, readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { fold, JOURNAL_FORMAT, JOURNAL_REVISION, type JournalEntry, linkOf } from '../../src/journal/index.ts';
import { renderMarkdown } from '../../src/actions/report/markdown.ts';
import { decide, reportOf } from '../../src/rollback/index.ts';

const FOLDER = new URL('.', import.meta.url);

async function recorded(file: string): Promise<readonly JournalEntry[]> {
  return JSON.parse(await readFile(new URL(file, FOLDER), 'utf8')) as readonly JournalEntry[];
}

const files = (await readdir(FOLDER)).filter((file) => file.endsWith('.json'));

describe('recorded journals', () => {
  test.each([
    ['format-1-succeeded.json', { outcome: 'succeeded', takenBack: [], resumes: 0 }],
    ['format-1-mixed-resumed.json', { outcome: 'succeeded', takenBack: [], resumes: 1 }],
    ['format-1-went-back.json', { outcome: 'failed', takenBack: ['hook:pause ingest'], resumes: 0 }],
    ['format-1-resumed-in-2.json', { outcome: 'succeeded', takenBack: [], resumes: 1 }],
    ['format-2-succeeded.json', { outcome: 'succeeded', takenBack: [], resumes: 0 }],
    ['format-2-killed-resumed.json', { outcome: 'succeeded', takenBack: [], resumes: 1 }],
    ['format-2-observed.json', { outcome: 'succeeded', takenBack: [], resumes: 0 }],
  ])('%s still says what happened', async (file, expected) => {
    const report = reportOf(fold(await recorded(file)));
    expect({
      outcome: report.outcome,
      takenBack: report.steps.filter(({ takenBack }) => takenBack).map(({ id }) => id),
      resumes: report.resumes.length,
    }).toEqual(expected);
    expect(renderMarkdown(report)).toContain(`: ${expected.outcome}\n`);
  });

  test('format-2-observed.json still says what came after the run', async () => {
    const { observation } = reportOf(fold(await recorded('format-2-observed.json')));
    expect(observation?.ended).toMatchObject({ outcome: 'disturbed' });
    const failed = observation?.subjects.filter(({ findings }) => findings.some(({ verdict }) => verdict === 'fail'));
    expect(failed?.map(({ name }) => name.split(' ')[0])).toEqual(['watch', 'logs', 'neighbours']);
  });

  test.each(files)('%s can be cut after any entry, and the run knows what to do next', async (file) => {
    const entries = await recorded(file);
    for (let length = 1; length <= entries.length; length++) {
      const state = fold(entries.slice(0, length));
      expect(decide(state).kind === 'ended').toBe(state.ended !== undefined);
    }
  });

  test.each(files.filter((file) => file.startsWith('format-2-')))(
    '%s can have no entry changed or left out without its being found',
    async (file) => {
      const entries = await recorded(file);
      for (let i = 0; i < entries.length - 1; i++) {
        const changed = { ...entries[i]!, time: '2020-01-01T00:00:00.000Z' };
        expect(() => fold(entries.toSpliced(i, 1, changed))).toThrow(`entry ${i + 1} was changed`);
        expect(() => fold(entries.toSpliced(i, 1))).toThrow('missing');
      }
    },
  );

  test.each(files)('%s is read with what a newer program added to it, and refused in a newer format', async (file) => {
    const entries = await recorded(file);
    const last = entries.at(-1)!;
    const added = {
      ...last,
      format: JOURNAL_FORMAT,
      previous: linkOf(last),
      sequence: last.sequence + 1,
      kind: 'weather',
      revision: JOURNAL_REVISION + 1,
    } as unknown as JournalEntry;
    expect(fold([...entries, added])).toMatchObject({ sequence: added.sequence, unread: ['weather'] });
    expect(() => fold([...entries, { ...added, format: JOURNAL_FORMAT + 1 }])).toThrow(
      `of format ${JOURNAL_FORMAT + 1}`,
    );
  });

  test('are all named in the page beside them', async () => {
    const page = await readFile(new URL('README.md', FOLDER), 'utf8');
    for (const file of files) expect(page).toContain(`\`${file}\``);
  });
});
