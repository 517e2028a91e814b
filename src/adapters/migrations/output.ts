/** Bytes of a tool's output that are kept: its end, where the reason usually stands. */
const KEPT_BYTES = 16 * 1024;

const HIDDEN = '[hidden]';

/** What a tool wrote, as people may read it: passwords hidden, and only its end. */
export function readable(
  parts: { readonly stdout: string; readonly stderr: string },
  secrets: readonly string[],
): string {
  const whole = [parts.stdout, parts.stderr]
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .join('\n');
  return tail(hidden(whole, secrets));
}

/** Without the secrets themselves, as they stand in URLs, and whatever else stands as a password in a URL or a setting. */
export function hidden(text: string, secrets: readonly string[]): string {
  const known = secrets
    .filter((secret) => secret !== '')
    .flatMap((one) => [one, encodeURIComponent(one), encodeURI(one)]);
  const without = known
    .toSorted((a, b) => b.length - a.length)
    .reduce((said, one) => said.replaceAll(one, HIDDEN), text);
  return without
    .replaceAll(/(\b[a-z][a-z0-9+.:-]*:\/\/[^\s:/@]*:)[^\s@/]+@/gi, `$1${HIDDEN}@`)
    .replaceAll(/\b(password|passwd|pwd)(\s*[=:]\s*)(?!\[hidden\])("[^"]*"|'[^']*'|[^\s&;,]+)/gi, `$1$2${HIDDEN}`);
}

function tail(text: string): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= KEPT_BYTES) return text;
  const note = `[${bytes.length - KEPT_BYTES} bytes left out]\n`;
  // The cut may go through a character; what is left of it is dropped.
  const kept = bytes
    .subarray(bytes.length - KEPT_BYTES)
    .toString('utf8')
    .replace(/^�+/, '');
  return `${note}${kept}`;
}

/** The last line that says something: what an error message quotes. */
export function lastLine(text: string): string {
  return (
    text
      .split('\n')
      .map((line) => line.trim())
      .findLast((line) => line !== '') ?? ''
  );
}
