import type { RecoveryWindow } from '../../model/index.ts';
import type { Style } from './style.ts';

/** From when to when one can go back, a line for each base backup. */
export function renderWindows(windows: readonly RecoveryWindow[], style: Style): readonly string[] {
  return windows.map(({ base: name, from, to, missing, problem }) => {
    if (problem !== undefined) return `  ${style.bad('no past')}  ${name}: ${problem}`;
    const reach = from === undefined ? 'as far as its program fetches' : `${from} to ${to ?? 'the end of its archive'}`;
    return `  past  ${reach}  (${name})${missing === undefined ? '' : `  ${style.warn(`${missing} is missing`)}`}`;
  });
}
