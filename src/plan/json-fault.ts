/** Where a text stops being JSON. Line and column count from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

const SPACE = /[ \t\n\r]*/y;
const STRING = /"(?:[ !\u0023-\u005b\u005d-\uffff]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const SCALAR = /(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.+-])/y;

/** The place of the first fault; undefined when the text is one JSON value. `JSON.parse` does not always tell. */
export function jsonFault(text: string): Place | undefined {
  let at = 0;
  const take = (pattern: RegExp): boolean => {
    pattern.lastIndex = at;
    if (!pattern.test(text)) return false;
    at = pattern.lastIndex;
    return true;
  };
  const sign = (wanted: string): boolean => {
    take(SPACE);
    if (text[at] !== wanted) return false;
    at += 1;
    return true;
  };
  const members = (end: string, member: () => boolean): boolean => {
    if (sign(end)) return true;
    do {
      if (!member()) return false;
    } while (sign(','));
    return sign(end);
  };
  const value = (): boolean => {
    take(SPACE);
    if (sign('{')) return members('}', () => key() && value());
    if (sign('[')) return members(']', value);
    return take(STRING) || take(SCALAR);
  };
  const key = (): boolean => {
    take(SPACE);
    return take(STRING) && sign(':');
  };
  const whole = value();
  take(SPACE);
  return whole && at === text.length ? undefined : placeOf(text, at);
}

/** Line and column of an offset. */
export function placeOf(text: string, offset: number): Place {
  const before = text.slice(0, offset).split('\n');
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}
