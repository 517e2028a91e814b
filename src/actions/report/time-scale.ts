interface Stretch {
  readonly from: number;
  readonly to: number;
}

interface Placed extends Stretch {
  readonly left: number;
  readonly right: number;
}

/** Where a moment stands on a picture, with long times in which nothing happened drawn short. */
export interface TimeScale {
  /** Pixels for milliseconds since the epoch; held inside the picture. */
  readonly x: (ms: number) => number;
  readonly ticks: readonly { readonly x: number; readonly label: string }[];
  /** Idle times that are drawn shorter than they were. */
  readonly breaks: readonly (Placed & { readonly ms: number })[];
}

const BREAK_WIDTH = 44;
/** An idle time longer than this part of the work is drawn short. */
const LONG_IDLE = 0.25;
const MOST_TICKS = 8;
const STEPS_MS = [
  100, 200, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 900_000,
];

/** Pure. `idle` lies in order inside of `from` to `to`. */
export function timeScale(
  { from, to, idle }: Stretch & { readonly idle: readonly Stretch[] },
  left: number,
  right: number,
): TimeScale {
  const end = Math.max(to, from + 1);
  const idleMs = idle.reduce((sum, one) => sum + one.to - one.from, 0);
  const short = idle.filter((one) => one.to - one.from > LONG_IDLE * Math.max(1, end - from - idleMs));
  const workMs = end - from - short.reduce((sum, one) => sum + one.to - one.from, 0);
  const perMs = (right - left - short.length * BREAK_WIDTH) / Math.max(1, workMs);
  const pieces: (Placed & { readonly isBreak: boolean })[] = [];
  const add = (piece: Stretch, isBreak: boolean): void => {
    if (piece.to <= piece.from) return;
    const at = pieces.at(-1)?.right ?? left;
    pieces.push({ ...piece, isBreak, left: at, right: at + (isBreak ? BREAK_WIDTH : (piece.to - piece.from) * perMs) });
  };
  let at = from;
  for (const one of short) {
    add({ from: at, to: one.from }, false);
    add(one, true);
    at = one.to;
  }
  add({ from: at, to: end }, false);
  const x = (ms: number): number => {
    const piece = pieces.find((one) => ms < one.to) ?? pieces.at(-1);
    if (piece === undefined) return left;
    const part = (Math.min(piece.to, Math.max(piece.from, ms)) - piece.from) / (piece.to - piece.from);
    return Math.round((piece.left + part * (piece.right - piece.left)) * 10) / 10;
  };
  return {
    x,
    ticks: ticksOf(from, end, workMs)
      .filter((ms) => !pieces.some((one) => one.isBreak && ms >= one.from && ms <= one.to))
      .map((ms) => ({ x: x(ms), label: clockOf(ms - from) })),
    breaks: pieces.filter(({ isBreak }) => isBreak).map((piece) => ({ ...piece, ms: piece.to - piece.from })),
  };
}

function ticksOf(from: number, to: number, workMs: number): readonly number[] {
  const step =
    STEPS_MS.find((ms) => workMs / ms <= MOST_TICKS) ?? Math.ceil(workMs / MOST_TICKS / 3_600_000) * 3_600_000;
  const count = Math.floor((to - from) / step);
  // A run that was resumed after days has its ticks where it worked; no more than these are ever looked at.
  if (count > 10_000) return [from];
  return Array.from({ length: count + 1 }, (_, i) => from + i * step);
}

/** `0.5 s`, `45 s`, `2:05`, `1 h 05`. */
function clockOf(ms: number): string {
  const seconds = ms / 1_000;
  if (seconds < 120) return `${Number.isInteger(seconds) ? seconds : seconds.toFixed(1)} s`;
  const two = (value: number): string => String(Math.floor(value)).padStart(2, '0');
  return seconds < 3_600
    ? `${Math.floor(seconds / 60)}:${two(seconds % 60)}`
    : `${Math.floor(seconds / 3_600)} h ${two((seconds % 3_600) / 60)}`;
}
