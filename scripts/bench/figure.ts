/** One measured number, as the table and the JSON have it. */
export interface Figure {
  /** Unique within a report, such as `capture.time`. */
  readonly name: string;
  readonly what: string;
  readonly unit: 'ms' | 'MB' | 'times' | 'calls';
  /** The median where there are samples. */
  readonly value: number;
  readonly samples?: readonly number[];
  /** The value must not be above it. */
  readonly atMost?: number;
}

/** Where the time of a figure went: rows of one table. */
export interface Breakdown {
  readonly title: string;
  readonly rows: readonly { readonly name: string; readonly ms: number; readonly note?: string }[];
}

/** What one bench found. */
export interface Findings {
  readonly figures: readonly Figure[];
  readonly breakdowns?: readonly Breakdown[];
}

export function median(samples: readonly number[]): number {
  if (samples.length === 0) throw new RangeError('a median needs a sample');
  const sorted = samples.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [low = 0, high = 0] = sorted.length % 2 === 0 ? sorted.slice(middle - 1) : [sorted[middle], sorted[middle]];
  return (low + high) / 2;
}

/** A figure of several samples: their median, rounded as `round` does. */
export function sampled(
  figure: Omit<Figure, 'value' | 'samples'>,
  samples: readonly number[],
): Figure & { readonly samples: readonly number[] } {
  return {
    ...figure,
    value: rounded(median(samples), figure.unit),
    samples: samples.map((one) => rounded(one, figure.unit)),
  };
}

/** How often `one` is `other`: of medians of the same run on the same machine. */
export function ratio(name: string, what: string, one: Figure, other: Figure): Figure {
  return { name, what, unit: 'times', value: rounded(one.value / other.value, 'times') };
}

export function isMissed({ value, atMost }: Figure): boolean {
  return atMost !== undefined && value > atMost;
}

function rounded(value: number, unit: Figure['unit']): number {
  const digits = unit === 'times' ? 2 : 0;
  return Number(value.toFixed(digits));
}
