import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ContainerLog, type LogLine } from '../../../../src/sandbox/node/logs/container-log.ts';
import { formatLine, parseLogQuery, selectLines } from '../../../../src/sandbox/node/logs/log-query.ts';

const LINES: readonly LogLine[] = [0, 10, 20, 30].map((second) => ({
  at: `2026-01-01T00:00:${String(second).padStart(2, '0')}.000000000Z`,
  stream: 'stdout',
  text: `line ${second}`,
}));
const NOW = Date.parse('2026-01-01T00:00:35Z');

const ask = (query: string): string => {
  const parsed = parseLogQuery(new URLSearchParams(query));
  if (typeof parsed === 'string') return parsed;
  return selectLines(LINES, parsed, NOW)
    .map((line) => formatLine(line, parsed))
    .join('');
};

describe('what a log query selects', () => {
  test.each([
    ['', 'line 0\nline 10\nline 20\nline 30\n'],
    ['tailLines=2', 'line 20\nline 30\n'],
    ['tailLines=0', ''],
    ['tailLines=9', 'line 0\nline 10\nline 20\nline 30\n'],
    ['sinceSeconds=16', 'line 20\nline 30\n'],
    ['sinceTime=2026-01-01T00:00:30Z', 'line 30\n'],
    ['sinceSeconds=30&tailLines=1&timestamps=true', '2026-01-01T00:00:30.000000000Z line 30\n'],
    ['tailLines=-1', 'tailLines must be a whole number that is not negative, not "-1"'],
    ['sinceTime=yesterday', 'sinceTime must be a time in RFC 3339, not "yesterday"'],
  ])('for "%s" is right', (query, expected) => {
    expect(ask(query)).toBe(expected);
  });
});

describe('the log of a container', () => {
  let dir: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'backstay-log-'));
  });
  afterAll(async () => {
    await rm(dir, { recursive: true, force: true });
  });

  test('keeps lines whole however they are cut, and ends the last one', () => {
    const log = new ContainerLog(join(dir, 'a.log'));
    const seen: string[] = [];
    log.emitter.on('line', (line) => seen.push(`${line.stream}:${line.text}`));
    for (const chunk of ['on', 'e\ntw', 'o\nthr']) log.write('stdout', Buffer.from(chunk));
    log.write('stderr', Buffer.from('error\n'));
    log.write('stdout', Buffer.from('ü').subarray(0, 1));
    log.write('stdout', Buffer.from('ü').subarray(1));
    log.end();
    expect(seen).toEqual(['stdout:one', 'stdout:two', 'stderr:error', 'stdout:thrü']);
    expect(log.lines().map((line) => `${line.stream}:${line.text}`)).toEqual(seen);
    expect(log.lines()[0]?.at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/);
  });

  test('is bounded: the oldest lines go, the newest stay', () => {
    const log = new ContainerLog(join(dir, 'b.log'));
    const line = `${'x'.repeat(1023)}\n`.repeat(1024);
    for (let megabyte = 0; megabyte < 32; megabyte += 1) log.write('stdout', Buffer.from(line));
    log.write('stdout', Buffer.from('the last\n'));
    log.end();
    const lines = log.lines();
    expect(lines.at(-1)?.text).toBe('the last');
    expect(lines.length).toBeLessThan(22 * 1024);
  });
});
