import type { RunReport } from '../../rollback/index.ts';

/** `850 ms`, `4.2 s`, `3 min 4 s`, `2 h 5 min`. */
export function spell(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 59_950) return `${(ms / 1_000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min${seconds % 60 === 0 ? '' : ` ${seconds % 60} s`}`;
  const minutes = Math.round(ms / 60_000);
  return `${Math.floor(minutes / 60)} h${minutes % 60 === 0 ? '' : ` ${minutes % 60} min`}`;
}

/** `2026-01-01 12:00:03 UTC`. */
export function moment(iso: string): string {
  return `${iso.slice(0, 19).replace('T', ' ')} UTC`;
}

/** `downtime 0.0 s measured`, the worst of several routes; undefined where nothing measured. Shared by pages and CLI. */
export function downtimeInShort({ downtime }: Pick<RunReport, 'downtime'>): string | undefined {
  const [worst] = [...downtime].sort((a, b) => b.downMs - a.downMs || b.unknownMs - a.unknownMs);
  if (worst === undefined) return undefined;
  const where = downtime.length > 1 && worst.downMs > 0 ? ` (${worst.probe})` : '';
  const unknownMs = Math.max(...downtime.map((one) => one.unknownMs));
  return `${seconds(worst.downMs)} measured${where}${unknownMs < NOTABLE_MS ? '' : `, ${seconds(unknownMs)} unknown`}`;
}

/** Less than this between a run's creation and the first request is no gap in the measuring. */
const NOTABLE_MS = 100;

function seconds(ms: number): string {
  return ms < 59_950 ? `${(ms / 1_000).toFixed(1)} s` : spell(ms);
}

export function scopeInShort({ scope }: Pick<RunReport, 'scope'>): string {
  return scope.kind === 'workloads' ? scope.names.join(', ') : scope.kind;
}

/** `person`, or who it was that is no person. */
export function triggerInShort({ trigger, by }: Pick<RunReport, 'trigger' | 'by'>): string {
  return `${trigger === 'person' ? '' : `${trigger}, `}${by.user} on ${by.host}`;
}

/** What was declared and what was noted; undefined when neither says that anything was lost. */
export function dataLossInShort({ dataLoss, findings }: Pick<RunReport, 'dataLoss' | 'findings'>): string {
  if (findings.dataLoss !== undefined) return findings.dataLoss.text;
  if (dataLoss.length === 0) return 'none declared';
  return dataLoss.map(({ what }) => what).join('; ');
}
