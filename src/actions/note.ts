import { BackstayError } from '../errors/index.ts';
import type { NoteTopic, Person } from '../journal/index.ts';
import type { Clock } from '../ports/index.ts';
import { addFact, stateOfRun } from '../rollback/index.ts';
import { type ReportDeps, type WrittenReport, writeReport } from './report.ts';

export interface NoteOptions {
  readonly run: string;
  /** In the order in which they are kept; at least one. */
  readonly notes: readonly { readonly topic: NoteTopic; readonly text: string }[];
}

/**
 * Adds what people found out to a run that has ended, and writes its report again. A later note of one topic replaces the
 * earlier one in the report, follow-ups add up; the journal keeps all of them, with who and when.
 * @throws RUN_UNKNOWN, RUN_UNFINISHED (its journal belongs to the process that carries it), JOURNAL_BROKEN
 */
export async function note(
  { run, notes }: NoteOptions,
  deps: ReportDeps & { readonly clock: Clock; readonly by: Person },
): Promise<WrittenReport> {
  const { by } = deps;
  // Before the first: two notes of three would be worse than none.
  requireEnded(await stateOfRun(run, deps));
  for (const { topic, text } of notes) {
    await addFact(
      run,
      (state) => {
        requireEnded(state);
        return { kind: 'noted', by, topic, text };
      },
      deps,
    );
  }
  return await writeReport(run, deps);
}

function requireEnded({ run, ended }: { readonly run: string; readonly ended?: unknown }): void {
  if (ended !== undefined) return;
  throw new BackstayError('RUN_UNFINISHED', `The run ${run} has not ended: notes are taken once it is over.`, {
    next: `Look at it with \`backstay report ${run}\`, go on with \`backstay resume ${run}\`, then note it.`,
  });
}
