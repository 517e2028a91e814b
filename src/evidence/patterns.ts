/** Names whose values are secret wherever they stand. At the end of the name: `secretName` is only a name. */
const SECRET_NAME = String.raw`(?:pass(?:word|wd|phrase)?|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|client[_-]?key|credentials?)\d*`;
/** What is no value, or was replaced already. */
const NO_VALUE = String.raw`(?!\[redacted:|(?:true|false|null|undefined|none)\b|[{[(])`;
const QUOTE = String.raw`\\*["']`;

interface Pattern {
  readonly expression: RegExp;
  /** The parts around the secret are kept: `$1` before it, `$2` after it. */
  readonly replacement: string;
}

const pattern = (name: string, expression: RegExp): Pattern => ({
  expression,
  replacement: `$1[redacted:${name}]`,
});

const PATTERNS: readonly Pattern[] = [
  pattern(
    'private key',
    /()-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----(?:[\s\S]{0,16384}?-----END [A-Z0-9 ]*PRIVATE KEY-----|[A-Za-z0-9+/=\\\s]*)/g,
  ),
  pattern('authorization', /((?:proxy-)?authorization\\*["']?\s*[:=]\s*\\*["']?)(?!\[redacted:)[^\r\n"'\\,;}]+/gi),
  pattern('bearer token', /(\bbearer\s+)(?!\[redacted:)[A-Za-z0-9._~+/=-]{6,}/gi),
  pattern('basic credentials', /(\bbasic\s+)(?!\[redacted:)(?=[A-Za-z0-9+/]*[0-9A-Z+/])[A-Za-z0-9+/]{8,}={0,2}/g),
  pattern('token', /()\beyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]*/g),
  pattern('token', /()\b(?:gh[opsur]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[abeprs]-[\w-]{10,})/g),
  pattern('token', /()\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bAGE-SECRET-KEY-1[0-9A-Z]{20,}|\bsk-[A-Za-z0-9_-]{20,}/g),
  pattern('webhook', /(hooks\.slack\.com\/services\/)[A-Za-z0-9/_-]+/g),
  // `{"name": "DB_PASSWORD", "value": "…"}`, as containers have it.
  pattern(
    'environment',
    new RegExp(String.raw`("name"\s*:\s*"[^"]*${SECRET_NAME}"\s*,\s*"value"\s*:\s*")${NO_VALUE}(?:[^"\\]|\\.)+`, 'gi'),
  ),
  pattern(
    'setting',
    new RegExp(String.raw`(\b[\w.-]*${SECRET_NAME}${QUOTE}\s*[:=]\s*")${NO_VALUE}(?:[^"\\]|\\.)+`, 'gi'),
  ),
  pattern(
    'setting',
    new RegExp(
      String.raw`(\b[\w.-]*${SECRET_NAME}(?:${QUOTE})?\s*[:=]\s*(?:${QUOTE})?)(?!["'\\])${NO_VALUE}[^\s"'\\,;&})\]]+`,
      'gi',
    ),
  ),
];

/** `scheme://user:password@host`; the password may itself hold what a URL would have encoded. */
const USERINFO = /(\b[a-z][a-z0-9+.-]*:\/\/[^\s:/@"'<>]*:)(?!\[redacted:)([^\s"'<>/]+)(@)/gi;

/** Replaces what looks like a secret whoever's it is. */
export function replacePatterns(text: string): { readonly text: string; readonly count: number } {
  let count = 0;
  let out = text.replaceAll(USERINFO, (_whole, before: string, _password: string, after: string) => {
    count += 1;
    return `${before}[redacted:password]${after}`;
  });
  for (const { expression, replacement } of PATTERNS) {
    out = out.replaceAll(expression, (_whole, before: string | undefined) => {
      count += 1;
      return replacement.replace('$1', () => before ?? '');
    });
  }
  return { text: out, count };
}

/** Passwords of connection strings, decoded and as they stand. */
export function passwordsIn(text: string): readonly string[] {
  return [...text.matchAll(USERINFO)].flatMap(([, , password = '']) => [password, decoded(password)]);
}

/** Whether a name says that its value is secret. */
export function isSecretName(name: string): boolean {
  return new RegExp(`${SECRET_NAME}$`, 'i').test(name);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
