import type { MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { BackstayError } from '../../errors/index.ts';
import type { AppEnv, HttpDeps } from '../context.ts';

/** No body is larger or deeper than told; the parser never sees one that is. @throws REQUEST_TOO_LARGE, REQUEST_MALFORMED */
export function limitBody({ limits }: HttpDeps): readonly MiddlewareHandler<AppEnv>[] {
  const size = bodyLimit({
    maxSize: limits.bodyBytes,
    onError: () => {
      throw new BackstayError('REQUEST_TOO_LARGE', `The body has more than ${limits.bodyBytes} bytes.`);
    },
  });
  const depth: MiddlewareHandler<AppEnv> = async (c, next) => {
    const type = c.req.header('content-type') ?? '';
    if (c.req.raw.body !== null && /json/i.test(type)) {
      const text = await c.req.text();
      if (depthOf(text) > limits.bodyDepth)
        throw new BackstayError('REQUEST_MALFORMED', `The body nests deeper than ${limits.bodyDepth}.`);
      if (holdsNoText(text)) throw new BackstayError('REQUEST_MALFORMED', 'The body holds what is no character.');
    }
    await next();
  };
  return [size, depth];
}

/** Half a character, or none (U+0000): no journal, database or digest takes those. Text that is no JSON is for the parser to refuse. */
export function holdsNoText(json: string): boolean {
  if (!/\\u(?:[dD][89a-fA-F]|0000)/.test(json)) return false;
  try {
    // Whole pairs are written as they are; only what stands alone is escaped again.
    return /\\u(?:d[89a-f]|0000)/.test(JSON.stringify(JSON.parse(json)).replaceAll('\\\\', ''));
  } catch {
    return false;
  }
}

/** How deep arrays and objects stand in each other, in one pass and without parsing. Of text that is no JSON: at most as deep. */
export function depthOf(json: string): number {
  let [depth, deepest, inText] = [0, 0, false];
  for (let at = 0; at < json.length; at += 1) {
    const char = json[at];
    if (inText) {
      if (char === '\\') at += 1;
      else if (char === '"') inText = false;
    } else if (char === '"') inText = true;
    else if (char === '{' || char === '[') deepest = Math.max(deepest, (depth += 1));
    else if (char === '}' || char === ']') depth -= 1;
  }
  return deepest;
}
