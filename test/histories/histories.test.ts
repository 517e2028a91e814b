import { readdir, readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { fold, type JournalEntry } from '../../src/journal/index.ts';
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
  ])('%s still says what happened', async (file, expected) => {
    const report = reportOf(fold(await recorded(file)));
    expect({
      outcome: report.outcome,
      takenBack: report.steps.filter(({ takenBack }) => takenBack).map(({ id }) => id),
      resumes: report.resumes.length,
    }).toEqual(expected);
    expect(renderMarkdown(report)).toContain(`: ${expected.outcome}\n`);
  });

  test.each(files)('%s can be cut after any entry, and the run knows what to do next', async (file) => {
    const entries = await recorded(file);
    for (let length = 1; length <= entries.length; length++) {
      const state = fold(entries.slice(0, length));
      expect(decide(state).kind === 'ended').toBe(state.ended !== undefined);
    }
  });

  test('are all named in the page beside them', async () => {
    const page = await readFile(new URL('README.md', FOLDER), 'utf8');
    for (const file of files) expect(page).toContain(`\`${file}\``);
  });
});
