import type { Findings } from './figure.ts';
import type { Home } from './home.ts';

export interface BenchContext {
  readonly home: Home;
  /** Progress, one line at a time. */
  readonly say: (line: string) => void;
  /** Of the database that is restored, megabytes. */
  readonly sizeMB: number;
}

/** One thing that is measured. It makes what it needs in the bench's home and leaves it to be removed with it. */
export interface Bench {
  /** For `--only`. */
  readonly name: string;
  readonly what: string;
  measure(context: BenchContext): Promise<Findings>;
}
