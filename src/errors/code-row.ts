export interface CodeRow {
  readonly source: 'user' | 'us' | 'environment';
  readonly exit: number;
  readonly summary: string;
  readonly next: string;
}

export const row = (source: CodeRow['source'], exit: number, summary: string, next: string): CodeRow => ({
  source,
  exit,
  summary,
  next,
});
