import { open } from 'node:fs/promises';
import type { Call } from './receivers.ts';

/** What happened, by name, and how often; told by those to whom it happened. */
export type Effects = ReadonlyMap<string, number>;

interface AuditEvent {
  readonly stage?: string;
  readonly verb?: string;
  readonly requestURI?: string;
  readonly userAgent?: string;
  readonly objectRef?: {
    readonly resource?: string;
    readonly namespace?: string;
    readonly name?: string;
    readonly subresource?: string;
  };
  readonly responseStatus?: { readonly code?: number };
}

/** The API server's audit log from one moment on. It writes each line before it answers. */
export class AuditLog {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  /** Where the log ends now. */
  async end(): Promise<number> {
    const handle = await open(this.#file, 'r');
    try {
      return (await handle.stat()).size;
    } finally {
      await handle.close();
    }
  }

  /**
   * Writes by Backstay that succeeded in a namespace since then: `patch configmaps/settings` and the like. Dry runs change
   * nothing; Leases are not in the log at all. @throws TypeError when the log was rotated in between.
   */
  async writes(namespace: string, since: number): Promise<Effects> {
    const counted = new Map<string, number>();
    for (const line of (await this.#read(since)).split('\n')) {
      if (!line.includes(namespace)) continue;
      const event = JSON.parse(line) as AuditEvent;
      const name = effectOf(event, namespace);
      if (name !== undefined) counted.set(name, (counted.get(name) ?? 0) + 1);
    }
    return counted;
  }

  async #read(since: number): Promise<string> {
    const handle = await open(this.#file, 'r');
    try {
      const { size } = await handle.stat();
      if (size < since) throw new TypeError(`${this.#file} was rotated in the middle of a case`);
      const bytes = Buffer.alloc(size - since);
      await handle.read(bytes, 0, bytes.length, since);
      return bytes.toString('utf8');
    } finally {
      await handle.close();
    }
  }
}

function effectOf(event: AuditEvent, namespace: string): string | undefined {
  const { stage, verb = '', requestURI = '', userAgent = '', objectRef, responseStatus } = event;
  if (stage !== 'ResponseComplete' || objectRef?.namespace !== namespace || !userAgent.startsWith('backstay/')) return;
  if (requestURI.includes('dryRun=All') || (responseStatus?.code ?? 500) >= 300) return;
  const { resource = '', name = '', subresource } = objectRef;
  return `${verb} ${resource}/${name}${subresource === undefined ? '' : `/${subresource}`}`;
}

/**
 * Effects of hooks at their receivers. Repeats of one idempotency key are one effect; a call without one is an effect of its
 * own. The run's id is cut from the keys, so that runs can be compared.
 */
export function hookEffects(calls: readonly Call[]): Effects {
  const counted = new Map<string, Set<string>>();
  for (const [index, { path, key }] of calls.entries()) {
    const name = `hook ${key?.slice(key.lastIndexOf('/') + 1) ?? path}`;
    counted.set(name, (counted.get(name) ?? new Set()).add(key ?? `call ${index}`));
  }
  return new Map([...counted].map(([name, keys]) => [name, keys.size]));
}

export function together(...all: readonly Effects[]): Effects {
  return new Map(all.flatMap((effects) => [...effects]));
}

export const total = (effects: Effects): number => [...effects.values()].reduce((sum, count) => sum + count, 0);

/** What is there too often and too seldom, in words; empty when both are the same. */
export function difference(expected: Effects, found: Effects): { readonly doubled: string[]; readonly lost: string[] } {
  const names = [...new Set([...expected.keys(), ...found.keys()])].sort();
  const of = (name: string): [number, number] => [expected.get(name) ?? 0, found.get(name) ?? 0];
  const say = (name: string): string => `${name}: ${of(name)[1]} instead of ${of(name)[0]}`;
  return {
    doubled: names.filter((name) => of(name)[1] > of(name)[0]).map(say),
    lost: names.filter((name) => of(name)[1] < of(name)[0]).map(say),
  };
}
