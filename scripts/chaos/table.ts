import type { CaseResult } from './case.ts';

/** One line a case; flaws stand below their case. */
export function caseLine(result: CaseResult): string {
  const { point, kills, resumes, end, effects, ms, flaws } = result;
  const columns = [
    point.padEnd(WIDTH),
    String(kills).padStart(5),
    String(resumes).padStart(7),
    end.padEnd(6),
    String(effects).padStart(7),
    `${(ms / 1000).toFixed(1)} s`.padStart(7),
    flaws.length === 0 ? 'ok' : 'FLAW',
  ];
  return [columns.join('  '), ...flaws.map((flaw) => `    ${flaw}`)].join('\n');
}

const WIDTH = 58;

export const HEAD = ['failpoint'.padEnd(WIDTH), 'kills', 'resumes', 'end   ', 'effects', '   time', 'verdict'].join(
  '  ',
);

export function summary(results: readonly CaseResult[]): string {
  const flawed = results.filter(({ flaws }) => flaws.length > 0);
  const count = (what: string): number =>
    results.flatMap(({ flaws }) => flaws).filter((f) => f.startsWith(what)).length;
  const effects = results.reduce((sum, result) => sum + result.effects, 0);
  return [
    `${results.length} cases, ${results.reduce((sum, { kills }) => sum + kills, 0)} kills, ${effects} effects counted from outside:`,
    `${count('lost')} lost, ${count('doubled')} doubled, ${flawed.length} cases with flaws`,
  ].join(' ');
}
