/** Bytes; as `16/B374D848` it counts from the server's initdb. */
export type Position = bigint;

/** @throws TypeError for what no server writes */
export function positionOf(text: string): Position {
  const found = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/.exec(text.trim());
  if (found === null) throw new TypeError(`${text} is no position in a write-ahead log`);
  return (BigInt(`0x${found[1]}`) << 32n) | BigInt(`0x${found[2]}`);
}

export function positionText(at: Position): string {
  return `${(at >> 32n).toString(16).toUpperCase()}/${(at & 0xffffffffn).toString(16).toUpperCase()}`;
}

/** Number of the file that holds a position, counted from the initdb. */
export function segmentAt(at: Position, segmentBytes: number): bigint {
  return at / BigInt(segmentBytes);
}

/** `000000010000000000000002`: timeline and number. */
export function segmentName(timeline: number, segment: bigint, segmentBytes: number): string {
  const each = 0x1_0000_0000n / BigInt(segmentBytes);
  return [BigInt(timeline), segment / each, segment % each].map(eight).join('');
}

const eight = (part: bigint): string => part.toString(16).toUpperCase().padStart(8, '0');

export interface Segment {
  readonly timeline: number;
  readonly number: bigint;
}

/** Undefined for what else lies in an archive: histories of timelines and of backups, partial and packed files. */
export function parseSegment(name: string, segmentBytes: number): Segment | undefined {
  const found = /^([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})$/.exec(name);
  if (found === null) return undefined;
  const [timeline, high, low] = found.slice(1).map((part) => BigInt(`0x${part}`)) as [bigint, bigint, bigint];
  const each = 0x1_0000_0000n / BigInt(segmentBytes);
  return low < each ? { timeline: Number(timeline), number: high * each + low } : undefined;
}

/** `00000003.history`. */
export function historyName(timeline: number): string {
  return `${eight(BigInt(timeline))}.history`;
}

/** One timeline on the way to another, and where it was left; the last one never is. */
export interface Leg {
  readonly timeline: number;
  readonly until?: Position;
}

/** The way to a timeline by its history file; timeline 1 has none. */
export function wayTo(timeline: number, history: string | undefined): readonly Leg[] {
  const left = (history ?? '')
    .split('\n')
    .map((line) => /^\s*(\d+)\s+([0-9A-Fa-f]+\/[0-9A-Fa-f]+)/.exec(line))
    .flatMap((found) => (found === null ? [] : [{ timeline: Number(found[1]), until: positionOf(found[2] ?? '') }]));
  return [...left, { timeline }];
}

/** The timeline whose file holds a segment: where one timeline left another, the later one's file holds both parts. */
export function timelineOf(way: readonly Leg[], segment: bigint, segmentBytes: number): number {
  let current = way[0]?.timeline ?? 1;
  for (const [index, { until }] of way.entries()) {
    const next = way[index + 1];
    if (until === undefined || next === undefined || segmentAt(until, segmentBytes) > segment) break;
    current = next.timeline;
  }
  return current;
}

/** The timeline on which a position was written. */
export function timelineAt(way: readonly Leg[], at: Position): number {
  return (way.find(({ until }) => until === undefined || at <= until) ?? way.at(-1))?.timeline ?? 1;
}

/** Whether what ended on a timeline at a position lies on the way: otherwise no log leads on from it. */
export function liesOn(way: readonly Leg[], timeline: number, end: Position): boolean {
  const leg = way.find((one) => one.timeline === timeline);
  return leg !== undefined && (leg.until === undefined || end <= leg.until);
}

export interface Stretch {
  /** Names of its files, in order. */
  readonly names: readonly string[];
  /** The first that is not there although later ones are. */
  readonly missing?: string;
}

/** Files from one segment on as far as they follow each other. */
export function stretchFrom(
  first: bigint,
  way: readonly Leg[],
  segmentBytes: number,
  there: ReadonlySet<string>,
): Stretch {
  const nameOf = (segment: bigint): string =>
    segmentName(timelineOf(way, segment, segmentBytes), segment, segmentBytes);
  const names: string[] = [];
  let next = first;
  while (there.has(nameOf(next))) {
    names.push(nameOf(next));
    next += 1n;
  }
  const later = [...there].some((name) => {
    const segment = parseSegment(name, segmentBytes);
    return segment !== undefined && segment.number > next && nameOf(segment.number) === name;
  });
  return { names, ...(later ? { missing: nameOf(next) } : {}) };
}
