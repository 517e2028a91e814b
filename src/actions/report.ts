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

export interface RenderedReport {
  readonly report: RunReport;
  /** `0.0 s measured`; absent where no probe measured. */
  readonly downtime?: string;
  readonly markdown: string;
  readonly html: string;
}

export interface WrittenReport extends RenderedReport {
  readonly paths: { readonly markdown: string; readonly html: string; readonly json: string };
}

/** The report of a run by its journal; writes nothing. At any time, also while it is unfinished. @throws RUN_UNKNOWN, JOURNAL_BROKEN */
export async function renderReport(run: string, deps: Pick<ReportDeps, 'journal'>): Promise<RenderedReport> {
  const entries = await entriesOf(run, deps);
  const report = reportOf(fold(entries), entries);
  const downtime = downtimeInShort(report);
  return {
    report,
    ...(downtime === undefined ? {} : { downtime }),
    markdown: renderMarkdown(report),
    html: renderHtml(report),
  };
}

/** As `renderReport`, and writes it as Markdown, HTML and JSON side by side. */
export async function writeReport(run: string, deps: ReportDeps): Promise<WrittenReport> {
  const { files, stateDir } = deps;
  const rendered = await renderReport(run, deps);
  const { report, markdown, html } = rendered;
  const folder = join(stateDir, 'runs', report.run);
  const paths = {
    markdown: join(folder, 'report.md'),
    html: join(folder, 'report.html'),
    json: join(folder, 'report.json'),
  };
  await files.write(paths.json, `${JSON.stringify(report, null, 2)}\n`);
  await files.write(paths.markdown, markdown);
  await files.write(paths.html, html);
  return { ...rendered, paths };
}

async function entriesOf(run: string, { journal }: Pick<ReportDeps, 'journal'>): Promise<readonly JournalEntry[]> {
  const entries = await journal.read(run);
  if (entries.length > 0) return entries;
  throw new BackstayError('RUN_UNKNOWN', `There is no run ${run === '' ? 'without an id' : run}.`, {
    next: 'Run `backstay history` to list the runs.',
  });
}
