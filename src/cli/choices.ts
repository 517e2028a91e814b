import type { TargetChoice } from '../actions/targets.ts';
import { isBackstayError } from '../errors/index.ts';
import type { Terminal } from './output.ts';
import { table } from './render/table.ts';
import { age } from './render/time.ts';

/** Runs, and when no target was given prints what there is to choose from before the error goes on. */
export async function withChoices<T>(terminal: Terminal, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (isBackstayError(error, 'TARGET_MISSING') && terminal.format === 'table') {
      terminal.note(renderChoices(error.details['choices'] as readonly TargetChoice[], terminal));
    }
    throw error;
  }
}

export function renderChoices(choices: readonly TargetChoice[], terminal: Pick<Terminal, 'err'>): string {
  if (choices.length === 0) return 'there is nothing to go back to yet';
  const { err } = terminal;
  return table(
    ['target', 'age', 'state', 'label', 'images'],
    choices.map((choice) => [
      choice.target,
      age(choice.at, Date.now()),
      choice.current ? err.accent('live now') : choice.knownGood ? err.good('known good') : '',
      choice.snapshot?.labels.join(',') ?? '',
      shorten(choice.images),
    ]),
  );
}

const SHOWN = 3;

function shorten(images: readonly string[]): string {
  const rest = images.length - SHOWN;
  return rest > 0 ? `${images.slice(0, SHOWN).join(' ')} and ${rest} more` : images.join(' ');
}
