import { join } from 'node:path';
import { BackstayError } from '../errors/index.ts';
import { fold, type JournalEntry } from '../journal/index.ts';
import type { JournalStore, PrivateFiles } from '../ports/index.ts';
import { reportOf, type RunReport } from '../rollback/index.ts';
import { renderHtml } from './report/html.ts';
import { renderMarkdown } from './report/markdown.ts';
import { downtimeInShort } from './report/words.ts';

export interface ReportDeps {
  readonly journal: JournalStore;
  readonly files: PrivateFiles;
  /** Absolute path; reports go to `<stateDir>/runs/<run>/`. */
  readonly stateDir: string;
}

export interface WrittenReport {
  readonly report: RunReport;
  /** `0.0 s measured`; absent where no probe measured. */
  readonly downtime?: string;
  readonly markdown: string;
  readonly html: string;
  readonly paths: { readonly markdown: string; readonly html: string; readonly json: string };
}

/**
 * Writes the report of a run from its journal, as Markdown, HTML and JSON side by side. Can be asked for at any time, also
 * while the run is unfinished. @throws RUN_UNKNOWN, JOURNAL_BROKEN
 */
export async function writeReport(run: string, deps: ReportDeps): Promise<WrittenReport> {
  const { files, stateDir } = deps;
  const entries = await entriesOf(run, deps);
  const report = reportOf(fold(entries), entries);
  const [markdown, html] = [renderMarkdown(report), renderHtml(report)];
  const folder = join(stateDir, 'runs', report.run);
  const paths = {
    markdown: join(folder, 'report.md'),
    html: join(folder, 'report.html'),
    json: join(folder, 'report.json'),
  };
  await files.write(paths.json, `${JSON.stringify(report, null, 2)}\n`);
  await files.write(paths.markdown, markdown);
  await files.write(paths.html, html);
  const downtime = downtimeInShort(report);
  return { report, ...(downtime === undefined ? {} : { downtime }), markdown, html, paths };
}

async function entriesOf(run: string, { journal }: ReportDeps): Promise<readonly JournalEntry[]> {
  const entries = await journal.read(run);
  if (entries.length > 0) return entries;
  throw new BackstayError('RUN_UNKNOWN', `There is no run ${run === '' ? 'without an id' : run}.`, {
    next: 'Run `backstay history` to list the runs.',
  });
}
