import { setTimeout as delay } from 'node:timers/promises';
import { isBackstayError } from '../../errors/index.ts';
import { type JsonObject, type KubeObject, keyOf } from '../../model/index.ts';
import type { ApiKind, KubeObjectList, ListOptions, WatchEvent, WatchOptions } from '../../ports/index.ts';
import { asStatus, failureOf } from './failures.ts';
import { collectionPath } from './paths.ts';
import type { Transport } from './transport.ts';

/** The server ends each watch after this long, spread so that many watches do not come back at once. */
const LIFE_S = { least: 240, most: 360 };
const BACK_OFF_MS = { first: 100, most: 5_000 };

interface Wire {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: KubeObject;
}

/**
 * Lists, says `synced`, then follows. A version too old to go on from is answered by listing again and telling the
 * difference as events; a cut, a restart or silence by going on from the last version. Ends when the signal fires.
 * Throws only what asking again cannot mend: the first list's error, 401, 403 and an unknown kind.
 */
export async function* watchKind(
  transport: Transport,
  list: (kind: ApiKind, options: ListOptions) => Promise<KubeObjectList>,
  kind: ApiKind,
  options: WatchOptions,
): AsyncGenerator<WatchEvent> {
  const { signal } = options;
  const selection = selectionOf(options);
  const known = new Map<string, KubeObject>();
  let version: string | undefined;
  let synced = false;
  let wait = BACK_OFF_MS.first;
  while (!signal.aborted) {
    try {
      if (version === undefined) {
        const present = await list(kind, { ...selection, signal });
        yield* difference(known, present.items);
        version = present.resourceVersion;
        if (!synced) yield { type: 'synced' };
        synced = true;
      }
      for await (const wire of events(transport, kind, selection, version, signal)) {
        wait = BACK_OFF_MS.first;
        version = wire.object.metadata.resourceVersion ?? version;
        if (wire.type !== 'BOOKMARK') yield remember(known, wire);
      }
    } catch (error) {
      if (signal.aborted) return;
      if (isBackstayError(error, 'OBJECT_MOVED')) {
        // 410: that version is gone from the server's memory.
        version = undefined;
        continue;
      }
      if (!synced || !isPassing(error)) throw error;
      await delay(wait * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => undefined);
      wait = Math.min(wait * 2, BACK_OFF_MS.most);
    }
  }
}

function selectionOf(options: WatchOptions): Omit<ListOptions, 'signal'> {
  const fields = [options.fieldSelector, options.name === undefined ? undefined : `metadata.name=${options.name}`];
  const fieldSelector = fields.filter((field) => field !== undefined).join(',');
  return {
    ...(options.namespace === undefined ? {} : { namespace: options.namespace }),
    ...(options.labelSelector === undefined ? {} : { labelSelector: options.labelSelector }),
    ...(fieldSelector === '' ? {} : { fieldSelector }),
  };
}

/** An error that is not ours (a cut stream, a timeout) or says that the server is away passes by waiting. */
const isPassing = (error: unknown): boolean => !isBackstayError(error) || isBackstayError(error, 'CLUSTER_UNREACHABLE');

function remember(known: Map<string, KubeObject>, { type, object }: Wire): WatchEvent {
  const key = keyOf(object);
  if (type === 'DELETED') {
    known.delete(key);
    return { type: 'deleted', object };
  }
  const seen = known.has(key);
  known.set(key, object);
  return { type: seen ? 'modified' : 'added', object };
}

function* difference(known: Map<string, KubeObject>, items: readonly KubeObject[]): Generator<WatchEvent> {
  const present = new Set<string>();
  for (const object of items) {
    const key = keyOf(object);
    present.add(key);
    let before = known.get(key);
    if (before !== undefined && before.metadata.uid !== object.metadata.uid) {
      // Deleted and made again while nobody looked: two objects, two events.
      yield { type: 'deleted', object: before };
      before = undefined;
    }
    known.set(key, object);
    if (before === undefined) yield { type: 'added', object };
    else if (before.metadata.resourceVersion !== object.metadata.resourceVersion) yield { type: 'modified', object };
  }
  for (const [key, object] of known) {
    if (present.has(key)) continue;
    known.delete(key);
    yield { type: 'deleted', object };
  }
}

async function* events(
  transport: Transport,
  kind: ApiKind,
  selection: Omit<ListOptions, 'signal'>,
  version: string,
  signal: AbortSignal,
): AsyncGenerator<Wire> {
  const life = Math.round(LIFE_S.least + Math.random() * (LIFE_S.most - LIFE_S.least));
  const path = collectionPath(kind, selection.namespace, {
    watch: '1',
    resourceVersion: version,
    allowWatchBookmarks: 'true',
    timeoutSeconds: String(life),
    labelSelector: selection.labelSelector,
    fieldSelector: selection.fieldSelector,
  });
  const ask = { verb: 'watch', subject: kind.resource, namespace: selection.namespace, method: 'GET', path, signal };
  for await (const line of lines(transport.stream(ask))) {
    const wire = JSON.parse(line) as Wire;
    if (wire.type === 'ERROR') {
      const status = asStatus(wire.object as unknown as JsonObject);
      throw failureOf(transport.asked(ask), status?.code ?? 500, JSON.stringify(wire.object));
    }
    yield wire;
  }
}

async function* lines(chunks: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of chunks) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = parts.pop() ?? '';
    yield* parts.filter((part) => part !== '');
  }
}
