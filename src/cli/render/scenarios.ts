import { isLossless, type LossReport, type Plan, type StoreScenario } from '../../model/index.ts';
import type { Style } from './style.ts';
import { duration } from './time.ts';

/** What becomes of the data stores, why, and what else could be done. */
export function renderScenarios({ scenarios = [] }: Pick<Plan, 'scenarios'>, style: Style): readonly string[] {
  if (scenarios.length === 0) return [];
  return ['', style.bold('What becomes of the data'), ...scenarios.flatMap((one) => renderScenario(one, style))];
}

function renderScenario(one: StoreScenario, style: Style): readonly string[] {
  const { store, scenario, because, forcedBy, loses, expectedMs, others } = one;
  const who = { user: '  (chosen by --scenario or --restore)', stack: '  (chosen by the stack file)' };
  const forced = forcedBy === undefined ? '' : style.warn(who[forcedBy]);
  return [
    `  ${style.bold(store)}  ${style.accent(`scenario ${scenario}`)}${forced}  ${because}${took(expectedMs, style)}`,
    ...(loses === undefined ? [] : [`      ${style.warn(`may be lost: ${loses}`)}`]),
    ...others.map(({ scenario: other, possible, says, expectedMs: ms }) =>
      style.dim(`      ${other}${possible ? '' : ' (not possible)'}: ${says}${took(ms, style)}`),
    ),
  ];
}

function took(ms: number | undefined, style: Style): string {
  return ms === undefined ? '' : style.dim(` · about ${duration(ms)}`);
}

/** A data-loss report, a line each. */
export function lossLines({ lost, fewerRows }: LossReport, style: Style): readonly string[] {
  if (isLossless({ lost, fewerRows })) return [`  ${style.good('nothing is lost')}`];
  return [
    ...lost.map(({ table, column, filled, change }) =>
      column === undefined
        ? `  ${style.bad('- table ')} ${table}  ${filled} rows`
        : `  ${style.bad(change === undefined ? '- column' : '~ column')} ${table}.${column}  ${filled} values${change === undefined ? '' : `  ${change}`}`,
    ),
    ...fewerRows.map(({ table, before, after }) => `  ${style.bad('- rows  ')} ${table}  ${before} → ${after}`),
  ];
}
