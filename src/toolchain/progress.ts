import type { ToolProgress } from './types.ts';

const LINE_EVERY_MS = 15_000;

interface ProgressStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/**
 * Prints progress for people: one line that is rewritten on a terminal; elsewhere a line at each new stage and at most
 * one every 15 seconds between. Call `done()` at the end, so that the rewritten line does not stay.
 */
export function progressPrinter(stream: ProgressStream): ((progress: ToolProgress) => void) & { done(): void } {
  let lastAt = Number.NEGATIVE_INFINITY;
  let lastStage = '';
  let open = false;
  const print = (progress: ToolProgress) => {
    const line = describe(progress);
    if (stream.isTTY === true) {
      stream.write(`\r\u001b[2K${line.slice(0, Math.max(20, (stream.columns ?? 80) - 1))}`);
      open = true;
      return;
    }
    const now = performance.now();
    const stage = `${progress.tool} ${progress.stage}`;
    if (stage === lastStage && now - lastAt < LINE_EVERY_MS) return;
    lastAt = now;
    lastStage = stage;
    stream.write(`${line}\n`);
  };
  const done = () => {
    if (open) stream.write('\r\u001b[2K');
    open = false;
  };
  return Object.assign(print, { done });
}

/** One line: what, how far, how long left. */
export function describe({ tool, message, fraction, secondsLeft }: ToolProgress): string {
  const far = fraction === undefined ? '' : ` ${Math.floor(fraction * 100)} %`;
  const left = secondsLeft === undefined ? '' : `, about ${duration(secondsLeft)} left`;
  return `${tool}:${far} ${message}${left}`;
}

function duration(seconds: number): string {
  return seconds < 90 ? `${Math.max(1, Math.round(seconds))} s` : `${Math.round(seconds / 60)} min`;
}
