/** One step of a path into an object: a map key, a list item by its key fields, a list item by place, a list's order. */
export type Segment =
  | { readonly field: string }
  | { readonly item: Readonly<Record<string, string>> }
  | { readonly index: number }
  | { readonly order: true };

export type Path = readonly Segment[];

const PLAIN_FIELD = /^[A-Za-z_][A-Za-z0-9_-]*$/;
const PLAIN_VALUE = /^[A-Za-z0-9_./:*@-]+$/;

/**
 * `spec.template.spec.containers[name=gateway].image`, `data["app.yaml"]`, `args[2]`; `initContainers[*]` is the order
 * of a list. Odd map keys and odd key values are quoted as JSON, so that two paths are never written alike.
 */
export function renderPath(path: Path): string {
  let text = '';
  for (const segment of path) {
    if ('field' in segment) text += renderField(segment.field, text === '');
    else if ('index' in segment) text += `[${segment.index}]`;
    else if ('order' in segment) text += '[*]';
    else text += `[${renderItem(segment.item)}]`;
  }
  return text;
}

function renderField(field: string, first: boolean): string {
  if (!PLAIN_FIELD.test(field)) return `[${JSON.stringify(field)}]`;
  return first ? field : `.${field}`;
}

function renderItem(item: Readonly<Record<string, string>>): string {
  return Object.entries(item)
    .map(([key, value]) => `${key}=${PLAIN_VALUE.test(value) ? value : JSON.stringify(value)}`)
    .join(',');
}
