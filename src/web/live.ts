import { signal } from '@preact/signals';
import { useEffect, useRef, useState } from 'preact/hooks';
import { ask, type Problem } from './api.ts';
import type { Me } from './types.ts';
import { follow, type StreamState } from './stream.ts';

/** How the page hears of changes: on every screen one stream. */
export const hearing = signal<StreamState>('connecting');
/** When the service was heard last, for what is said while it is not. */
export const heardAt = signal(Date.now());

/** Who looks at the page, once that is known. */
export const me = signal<Me | undefined>(undefined);

interface Changed {
  readonly stack?: string;
  readonly run?: string;
  readonly proposal?: string;
}

const listeners = new Set<(changed: Changed | undefined) => void>();

/** Tells whoever shows something that it may have changed; undefined: anything may have. */
function tell(changed: Changed | undefined): void {
  for (const listener of listeners) listener(changed);
}

/** Begins to listen; called once. What changed before it hears, or in a gap, nobody told: everything is read again. */
export function listen(): () => void {
  return follow({
    path: '/v1/events',
    onEvents: (events) => {
      heardAt.value = Date.now();
      for (const { type, data } of events) if (type === 'changed') tell(JSON.parse(data) as Changed);
    },
    onState: (state) => {
      hearing.value = state;
      if (state !== 'live') return;
      heardAt.value = Date.now();
      tell(undefined);
    },
  });
}

export interface Resource<T> {
  readonly data?: T;
  readonly etag?: string;
  /** Why there is nothing new. What was read before is still shown. */
  readonly problem?: Problem;
  readonly loading: boolean;
  readonly reload: () => void;
}

/** Many changes at once are one reading. */
const SETTLE_MS = 150;
/** A run at work changes all the time; nobody reads faster than this, and the service has others to answer. */
const APART_MS = 1_500;

interface Reading<T> {
  /** Milliseconds between two readings at least, however much changes. */
  readonly apartMs?: number;
  /** Milliseconds after which to read again although nobody tells of a change; undefined: not by itself. */
  readonly againAfter?: (data: T) => number | undefined;
}

/**
 * Reads from the service, and again when it tells of a change that `concerns` says yes to, `apartMs` after the last time at
 * the earliest, or when `againAfter` says so. An undefined path reads nothing. What was read for another path is never shown.
 */
export function useResource<T>(
  path: string | undefined,
  concerns: (changed: Changed) => boolean = () => false,
  { apartMs = APART_MS, againAfter }: Reading<T> = {},
): Resource<T> {
  const [state, setState] = useState<{ path?: string; data?: T; etag?: string; problem?: Problem; loading: boolean }>({
    loading: true,
  });
  const [round, setRound] = useState(0);
  const reload = (): void => setRound((old) => old + 1);
  const asked = useRef(concerns);
  asked.current = concerns;
  const readAt = useRef(0);
  useEffect(() => {
    if (path === undefined) return undefined;
    readAt.current = Date.now();
    const over = new AbortController();
    setState((old) => (old.path === path ? { ...old, loading: true } : { path, loading: true }));
    void ask<T>(path, { signal: over.signal }).then(
      ({ body, etag }) => setState({ path, data: body, loading: false, ...(etag === undefined ? {} : { etag }) }),
      (problem: Problem) => {
        if (!over.signal.aborted) setState((old) => ({ ...old, path, problem, loading: false }));
      },
    );
    return () => over.abort();
  }, [path, round]);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const listener = (changed: Changed | undefined): void => {
      if (changed !== undefined && !asked.current(changed)) return;
      timer ??= setTimeout(
        () => {
          timer = undefined;
          reload();
        },
        Math.max(SETTLE_MS, readAt.current + apartMs - Date.now()),
      );
    };
    listeners.add(listener);
    return () => {
      clearTimeout(timer);
      listeners.delete(listener);
    };
  }, []);
  const { path: of, ...rest } = state;
  const afterMs = of !== path || rest.loading || rest.data === undefined ? undefined : againAfter?.(rest.data);
  useEffect(
    () => (afterMs === undefined ? undefined : whenSeen(Math.max(apartMs, afterMs), reload)),
    [state, afterMs === undefined],
  );
  return of === path ? { ...rest, reload } : { loading: path !== undefined, reload };
}

/** Calls after so many milliseconds, or when the page is looked at again: of one that nobody sees nothing is asked. */
function whenSeen(ms: number, call: () => void): () => void {
  const check = (): void => {
    if (document.hidden) document.addEventListener('visibilitychange', check, { once: true });
    else call();
  };
  const timer = setTimeout(check, ms);
  return () => {
    clearTimeout(timer);
    document.removeEventListener('visibilitychange', check);
  };
}

/** Now, in milliseconds, anew every so often while the page is looked at. */
export function useNow(everyMs: number): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}
