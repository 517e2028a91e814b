/*
 * Which lines of a log tell of an error, and which of them are of one kind: the same words about other ids, numbers, names in
 * quotes. Pure.
 */

/** A line in a log by its level, where it has one: as JSON, as `level=…`, or as a word in its first part. */
const BAD_LEVELS = new Set([
  'error',
  'err',
  'fatal',
  'critical',
  'crit',
  'panic',
  'alert',
  'emerg',
  'emergency',
  'severe',
]);
/** Of loggers that write numbers (pino, bunyan): 50 is error. */
const BAD_NUMBER = 50;

/** Names of classes, as runtimes print them: `NullPointerException`, `TypeError`. */
const NAMES = /\b[A-Z]\w*(?:Error|Exception)\b/u;
const WORDS = /\b(?:error|exception|fatal|panic|critical|traceback|segfault|segmentation fault|out of memory)\b/iu;
/** `0 errors`, `error=null`: the word, and the good news. */
const GOOD_NEWS =
  /\b(?:no|zero|0) errors?\b|\berrors?["']?\s*[:=]\s*["']?(?:0|null|none|nil|false|undefined)?["']?(?=[\s,;}\]]|$)/iu;
const FIRST_LEVEL =
  /^\W*(?:\S+\s+){0,4}?\[?\b(trace|debug|info|notice|warn|warning|error|err|fatal|critical|crit|severe|panic)\b\]?/iu;
const KEY_LEVEL = /\b(?:level|severity|lvl)=["']?([a-z]+)/iu;

/** RFC 3339 and its relatives, as log APIs and loggers put them in front. */
const TIME = /^\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?\]?\s*/u;

/** Characters of a kind, and of the line that is shown for it. */
const LONGEST = 200;

/** Kind, and the first line of it. `redact` is asked about lines that tell of an error, before anything is kept of them. */
export function errorKinds(
  log: string,
  options: { readonly ignore: readonly RegExp[]; readonly redact: (line: string) => string },
): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const raw of log.split('\n')) {
    const line = raw.replace(TIME, '').trim();
    const message = messageOf(line);
    if (message === undefined || options.ignore.some((pattern) => pattern.test(line))) continue;
    const said = options.redact(message).slice(0, LONGEST);
    const kind = kindOf(said);
    if (!found.has(kind)) found.set(kind, said);
  }
  return found;
}

/** What the line says, where it tells of an error. */
function messageOf(line: string): string | undefined {
  const document = documentIn(line);
  if (document !== undefined) return isBad(document) ? textIn(document, line) : undefined;
  const level = (KEY_LEVEL.exec(line) ?? FIRST_LEVEL.exec(line.slice(0, LONGEST)))?.[1]?.toLowerCase();
  if (level !== undefined) return BAD_LEVELS.has(level) ? line : undefined;
  return (WORDS.test(line) || NAMES.test(line)) && !GOOD_NEWS.test(line) ? line : undefined;
}

type Document = Readonly<Record<string, unknown>>;

function documentIn(line: string): Document | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return JSON.parse(line) as Document;
  } catch {
    return undefined;
  }
}

function isBad(document: Document): boolean {
  const level = document['level'] ?? document['severity'] ?? document['lvl'] ?? document['log.level'];
  if (typeof level === 'number') return level >= BAD_NUMBER;
  if (typeof level === 'string') return BAD_LEVELS.has(level.toLowerCase());
  return document['error'] !== undefined && document['error'] !== null && document['error'] !== false;
}

function textIn(document: Document, line: string): string {
  const parts = [document['msg'] ?? document['message'] ?? document['event'], document['error'] ?? document['err']];
  const said = parts.flatMap((part) => (part === undefined || part === null ? [] : [wordsOf(part)]));
  return said.length === 0 ? line : said.join(': ');
}

function wordsOf(part: unknown): string {
  if (typeof part === 'string') return part;
  const { message } = part as { readonly message?: unknown };
  return typeof message === 'string' ? message : JSON.stringify(part);
}

const VARIABLE: readonly RegExp[] = [
  /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/giu,
  /\b(?:0x)?(?=[0-9a-f]*\d)[0-9a-f]{8,}\b/giu,
  /(["'`])(?:(?!\1).)*\1/gu,
  /\d+(?:\.\d+)*/gu,
];

/** The line without what differs from one time to the next. */
export function kindOf(line: string): string {
  return VARIABLE.reduce((text, pattern) => text.replaceAll(pattern, '#'), line)
    .replaceAll(/\s+/gu, ' ')
    .trim();
}
