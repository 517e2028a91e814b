import { BackstayError } from '../../errors/index.ts';
import type { ObjectRef } from '../../model/index.ts';
import type { ApiKind } from '../../ports/index.ts';

type Query = Readonly<Record<string, string | undefined>>;

const segment = encodeURIComponent;

/** Path of all objects of a kind, in one namespace or everywhere. */
export function collectionPath(kind: ApiKind, namespace: string | undefined, query: Query = {}): string {
  const root = kind.group === '' ? `/api/${kind.version}` : `/apis/${kind.group}/${kind.version}`;
  const place = kind.namespaced && namespace !== undefined ? `/namespaces/${segment(namespace)}` : '';
  return withQuery(`${root}${place}/${kind.resource}`, query);
}

/** Path of one object. Throws OBJECT_REFUSED when a namespaced kind comes without a namespace. */
export function objectPath(kind: ApiKind, ref: ObjectRef, query: Query = {}, subresource?: string): string {
  if (kind.namespaced && ref.namespace === undefined) {
    throw new BackstayError(
      'OBJECT_REFUSED',
      `${ref.kind}/${ref.name} is of a namespaced kind and names no namespace.`,
      {
        next: 'Add metadata.namespace.',
      },
    );
  }
  const below = subresource === undefined ? '' : `/${subresource}`;
  return withQuery(`${collectionPath(kind, ref.namespace)}/${segment(ref.name)}${below}`, query);
}

export function withQuery(path: string, query: Query): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) search.set(name, value);
  return search.size === 0 ? path : `${path}?${search.toString()}`;
}
