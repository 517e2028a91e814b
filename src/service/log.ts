/** One line of the service's log. Never a header, a body, a query or a secret. */
export interface LogLine {
  readonly level: 'info' | 'warn' | 'error';
  /** What happened, as a fixed name: `request`, `listening`, `loop.failed`. */
  readonly event: string;
  readonly [fact: string]: string | number | boolean | undefined;
}

export type Log = (line: LogLine) => void;
