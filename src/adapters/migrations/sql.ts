/**
 * The statements of a script, as far as one has to know to tell where each begins: strings, quoted names, dollar quotes,
 * comments that nest, and function bodies in SQL (BEGIN ATOMIC … END) are passed over.
 */
export function statementsOf(script: string): readonly string[] {
  const statements: string[] = [];
  let from = 0;
  let atomic = 0;
  let previous = '';
  for (let at = 0; at < script.length; ) {
    const skipped = skip(script, at);
    if (skipped > at) {
      at = skipped;
      continue;
    }
    const word = wordAt(script, at);
    if (word !== '') {
      atomic = depthAfter(atomic, previous, word);
      previous = word;
      at += word.length;
      continue;
    }
    if (script[at] === ';' && atomic === 0) {
      statements.push(script.slice(from, at));
      from = at + 1;
      previous = '';
    }
    at += 1;
  }
  statements.push(script.slice(from));
  return statements.map((one) => one.slice(blankTo(one)).trim()).filter((one) => one !== '');
}

const CONTROL = /^(begin|commit|end|rollback|abort|start\s+transaction|prepare\s+transaction|savepoint|release)\b/i;

/** Statements that would end or begin a transaction, and with it what makes a step whole. */
export function transactionControl(script: string): readonly string[] {
  return statementsOf(script).filter((statement) => CONTROL.test(statement));
}

/**
 * The script without a BEGIN that is its first statement and a COMMIT that is its last: many are written so, and mean what
 * is done here anyhow. Undefined when it controls transactions in any other way.
 */
export function withinOneTransaction(script: string): string | undefined {
  const controls = transactionControl(script);
  if (controls.length === 0) return script;
  const all = statementsOf(script);
  const opens = /^(begin|start\s+transaction)(\s+(work|transaction))?$/i.test(all[0] ?? '');
  const closes = /^(commit|end)(\s+(work|transaction))?$/i.test(all.at(-1) ?? '');
  if (!opens || !closes || controls.length !== 2) return undefined;
  return `${all.slice(1, -1).join(';\n')};`;
}

/** Where the first thing begins that is neither blank nor comment. */
function blankTo(text: string): number {
  for (let at = 0; ; ) {
    const blank = /^\s*/.exec(text.slice(at))?.[0].length ?? 0;
    const comment = commentEnd(text, at + blank);
    if (comment === undefined) return at + blank;
    at = comment;
  }
}

function skip(text: string, at: number): number {
  const comment = commentEnd(text, at);
  if (comment !== undefined) return comment;
  const char = text[at];
  if (char === "'") return quoteEnd(text, at, "'", /e/i.test(text[at - 1] ?? '') && !/[\w$]/.test(text[at - 2] ?? ''));
  if (char === '"') return quoteEnd(text, at, '"', false);
  const tag =
    char === '$' && !/[\w$]/.test(text[at - 1] ?? '')
      ? /^\$(?:[a-z_]\w*)?\$/i.exec(text.slice(at, at + 65))?.[0]
      : undefined;
  if (tag === undefined) return at;
  const end = text.indexOf(tag, at + tag.length);
  return end < 0 ? text.length : end + tag.length;
}

function commentEnd(text: string, at: number): number | undefined {
  if (text.startsWith('--', at)) {
    const end = text.indexOf('\n', at);
    return end < 0 ? text.length : end + 1;
  }
  if (!text.startsWith('/*', at)) return undefined;
  let depth = 0;
  for (let here = at; here < text.length; ) {
    const [opens, closes] = [text.startsWith('/*', here), text.startsWith('*/', here)];
    depth += opens ? 1 : closes ? -1 : 0;
    here += opens || closes ? 2 : 1;
    if (depth === 0) return here;
  }
  return text.length;
}

/** A doubled quote stands for one; a backslash takes the next character along in an E'…' string. */
function quoteEnd(text: string, at: number, quote: string, escapes: boolean): number {
  for (let here = at + 1; here < text.length; here += 1) {
    if (escapes && text[here] === '\\') here += 1;
    else if (text[here] === quote) {
      if (text[here + 1] !== quote) return here + 1;
      here += 1;
    }
  }
  return text.length;
}

function wordAt(text: string, at: number): string {
  return /^[\p{L}_][\p{L}\p{N}_$]*/u.exec(text.slice(at, at + 80))?.[0] ?? '';
}

/** How deep within BEGIN ATOMIC: CASE has an END of its own there. */
function depthAfter(depth: number, previous: string, word: string): number {
  if (depth === 0) return /^begin$/i.test(previous) && /^atomic$/i.test(word) ? 1 : 0;
  if (/^case$/i.test(word) && !/^end$/i.test(previous)) return depth + 1;
  return /^end$/i.test(word) ? depth - 1 : depth;
}
