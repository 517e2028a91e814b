import { signal } from '@preact/signals';

/** What the service says in place of an answer (RFC 9457), or that it could not be reached at all. */
export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  readonly next: string | undefined;

  constructor(message: string, { status, code, next }: { status: number; code: string; next?: string | undefined }) {
    super(message);
    this.status = status;
    this.code = code;
    this.next = next;
  }
}

/** Nobody has said who they are, or it counts no longer. */
export const signedOut = signal(false);

export interface Answer<T> {
  readonly body: T;
  readonly status: number;
  readonly etag?: string;
  /** As the service names what it made: `/v1/runs/ID`. */
  readonly location?: string;
}

interface Asked {
  readonly method?: 'GET' | 'POST' | 'DELETE';
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/**
 * One request. The session is a cookie that scripts cannot read.
 * @throws Problem; an aborted request rejects with the signal's reason
 */
export async function ask<T>(path: string, { method = 'GET', body, headers, signal }: Asked = {}): Promise<Answer<T>> {
  const response = await reach(path, {
    method,
    credentials: 'same-origin',
    headers: {
      accept: 'application/json',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    ...(signal === undefined ? {} : { signal }),
  });
  if (!response.ok) throw await problemOf(response);
  const [etag, location] = [response.headers.get('etag'), response.headers.get('location')];
  return {
    body: (response.status === 204 ? undefined : await response.json()) as T,
    status: response.status,
    ...(etag === null ? {} : { etag }),
    ...(location === null ? {} : { location }),
  };
}

async function reach(path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(path, init);
  } catch (error) {
    if (init.signal?.aborted === true) throw error;
    throw new Problem('The service cannot be reached.', {
      status: 0,
      code: 'OFFLINE',
      next: 'Check your connection; this page tries again by itself.',
    });
  }
}

/** Reads what a refusal says; a 401 also brings the sign-in form. */
export async function problemOf(response: Response): Promise<Problem> {
  if (response.status === 401) signedOut.value = true;
  const text = await response.text().catch(() => '');
  const said = parsed(text);
  return new Problem(said['detail'] ?? said['title'] ?? `The service answered ${response.status}.`, {
    status: response.status,
    code: said['code'] ?? `HTTP ${response.status}`,
    next: said['next'],
  });
}

function parsed(text: string): Readonly<Record<string, string | undefined>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, string>) : {};
  } catch {
    return {};
  }
}

/** Names one intention of a person, however often it is sent: a second click or a lost answer does nothing twice. */
export function newIntention(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** A token becomes a session; the page forgets it. @throws Problem when it is not taken */
export async function signIn(token: string): Promise<void> {
  await ask('/v1/session', { method: 'POST', body: { token } });
  signedOut.value = false;
}

export async function signOut(): Promise<void> {
  await ask('/v1/session', { method: 'DELETE' });
  signedOut.value = true;
}
