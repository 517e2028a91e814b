import type { CheckResult } from '../../model/index.ts';
import type { Style } from './style.ts';
import { table } from './table.ts';
import { duration } from './time.ts';

export function paintVerdict(verdict: CheckResult['verdict'], style: Style): string {
  if (verdict === 'pass') return style.good('pass');
  return verdict === 'fail' ? style.bad('fail') : style.warn('unknown');
}

export function renderChecks(checks: readonly CheckResult[], style: Style): string {
  if (checks.length === 0) return style.dim('no checks were asked');
  return table(
    ['check', 'verdict', 'took', 'why'],
    checks.map((check) => [check.name, paintVerdict(check.verdict, style), duration(check.durationMs), check.reason]),
  );
}
