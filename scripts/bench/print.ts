import { cpus, loadavg, totalmem } from 'node:os';
import { type Breakdown, type Figure, isMissed } from './figure.ts';

export interface Machine {
  readonly cores: number;
  readonly processor: string;
  readonly memoryMB: number;
  readonly node: string;
  readonly platform: string;
  /** Average number of runnable processes over the last minute, before the bench began. */
  readonly load: number;
}

export function thisMachine(): Machine {
  const processors = cpus();
  return {
    cores: processors.length,
    processor: processors[0]?.model.trim() ?? 'unknown',
    memoryMB: Math.round(totalmem() / 2 ** 20),
    node: process.version,
    platform: `${process.platform}-${process.arch}`,
    load: Number((loadavg()[0] ?? 0).toFixed(2)),
  };
}

export function describeMachine({ cores, processor, memoryMB, node, platform, load }: Machine): string {
  const busy = load > cores / 2 ? '  (busy: read the ratios, not the times)' : '';
  return `${cores} cores (${processor}), ${memoryMB} MB, ${platform}, Node ${node}, load ${load}${busy}`;
}

export function figureTable(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => [
    figure.name,
    inUnit(figure.value, figure.unit),
    figure.atMost === undefined ? '' : `≤ ${inUnit(figure.atMost, figure.unit)}`,
    figure.atMost === undefined ? '' : isMissed(figure) ? 'MISSED' : 'met',
    spread(figure),
    figure.what,
  ]);
  return aligned([['figure', 'median', 'target', '', 'from … to (n)', 'what'], ...rows], [1, 2]);
}

export function breakdownTable({ title, rows }: Breakdown): string {
  const lines = rows.map(({ name, ms, note = '' }) => [`  ${name}`, inUnit(ms, 'ms'), note]);
  return `${title}\n${aligned(lines, [1])}`;
}

function spread({ samples, unit }: Figure): string {
  if (samples === undefined || samples.length < 2) return '';
  return `${inUnit(Math.min(...samples), unit)} … ${inUnit(Math.max(...samples), unit)} (${samples.length})`;
}

function inUnit(value: number, unit: Figure['unit']): string {
  if (unit === 'times') return `${value.toFixed(2)} ×`;
  if (unit === 'ms' && value >= 10_000) return `${(value / 1000).toFixed(1)} s`;
  return unit === 'calls' ? String(value) : `${Math.round(value)} ${unit}`;
}

/** Columns side by side; those that are named stand to the right. */
function aligned(rows: readonly (readonly string[])[], toTheRight: readonly number[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          toTheRight.includes(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
