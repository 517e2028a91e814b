import { fill, type HookAction, type HookSetting, placeholdersIn } from '../model/index.ts';

/** What a hook's texts may name. Each is known by the time any hook runs, if only as `none given`. */
export const PLACEHOLDERS = ['stack', 'from', 'to', 'reason', 'incident', 'outcome', 'duration', 'run'] as const;

/** Fills every string of a JSON value, keys left alone. */
export function fillAll(value: unknown, values: Readonly<Record<string, string>>): unknown {
  if (typeof value === 'string') return fill(value, values);
  if (Array.isArray(value)) return value.map((item) => fillAll(item, values));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fillAll(item, values)]));
}

/** What is wrong with a hook's placeholders, in one line each; empty when all is well. Asked at plan time. */
export function validateTemplate(hook: HookSetting): readonly string[] {
  const known: readonly string[] = PLACEHOLDERS;
  const texts = [hook.action, ...(hook.reverse === undefined ? [] : [hook.reverse])].flatMap(textsOf);
  const unknown = new Set(texts.flatMap(placeholdersIn).filter((name) => !known.includes(name)));
  return [...unknown].map(
    (name) => `hook ${hook.name}: unknown placeholder {{${name}}}; known are ${known.join(', ')}`,
  );
}

function textsOf(action: HookAction): readonly string[] {
  switch (action.kind) {
    case 'http':
      return [action.target.url, ...strings(action.body), ...strings(action.headers)];
    case 'command':
      return [...action.command, ...strings(action.env)];
    case 'restart':
      return [];
    case 'announce':
      return [action.text];
    case 'ticket':
      return [action.title, action.body];
  }
}

function strings(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(strings);
}
