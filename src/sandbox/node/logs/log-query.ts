import type { LogLine } from './container-log.ts';

/** What `kubectl logs` can ask for, as the kubelet's URL carries it. */
export interface LogQuery {
  readonly previous: boolean;
  readonly follow: boolean;
  readonly timestamps: boolean;
  readonly tailLines?: number;
  readonly sinceSeconds?: number;
  /** RFC 3339. */
  readonly sinceTime?: string;
  readonly limitBytes?: number;
}

/** Reads a query; a text says what is wrong with it. */
export function parseLogQuery(parameters: URLSearchParams): LogQuery | string {
  const flag = (name: string): boolean => ['true', '1', ''].includes(parameters.get(name) ?? 'false');
  const query: { -readonly [Name in keyof LogQuery]: LogQuery[Name] } = {
    previous: flag('previous'),
    follow: flag('follow'),
    timestamps: flag('timestamps'),
  };
  for (const name of ['tailLines', 'sinceSeconds', 'limitBytes'] as const) {
    const text = parameters.get(name);
    if (text === null || text === '') continue;
    if (!/^\d+$/.test(text)) return `${name} must be a whole number that is not negative, not "${text}"`;
    query[name] = Number(text);
  }
  const since = parameters.get('sinceTime');
  if (since !== null && since !== '') {
    if (Number.isNaN(Date.parse(since))) return `sinceTime must be a time in RFC 3339, not "${since}"`;
    query.sinceTime = since;
  }
  return query;
}

/** The lines that a query asks for. `now` in milliseconds. */
export function selectLines(lines: readonly LogLine[], query: LogQuery, now: number): readonly LogLine[] {
  const since =
    query.sinceTime !== undefined
      ? Date.parse(query.sinceTime)
      : query.sinceSeconds !== undefined
        ? now - query.sinceSeconds * 1000
        : undefined;
  const recent = since === undefined ? lines : lines.filter((line) => Date.parse(line.at) >= since);
  if (query.tailLines === undefined) return recent;
  return query.tailLines === 0 ? [] : recent.slice(-query.tailLines);
}

export function formatLine(line: LogLine, query: LogQuery): string {
  return query.timestamps ? `${line.at} ${line.text}\n` : `${line.text}\n`;
}
