import { BackstayError } from '../../errors/index.ts';
import type { OidcIssuer, Principal } from '../../model/index.ts';
import type { Clock } from '../../ports/index.ts';
import type { ServiceDeps } from '../deps.ts';
import type { Gate, Held, Proven } from './gate.ts';
import { createOidc } from './oidc.ts';
import { heldSession, heldToken } from './tokens.ts';

export interface GateOptions {
  readonly oidc: readonly OidcIssuer[];
  /** Who is let in without anything to show: only where nobody else than the user of this machine can ask. */
  readonly local?: Principal;
}

type Deps = Pick<ServiceDeps, 'records' | 'clock' | 'http' | 'files'>;

/** Tokens of ours, sessions of the page, tokens of the issuers. */
export function createGate({ oidc, local }: GateOptions, deps: Deps): Gate {
  const proveOidc = createOidc(oidc, deps);
  return {
    prove: async ({ bearer, session }) => {
      const held =
        bearer !== undefined
          ? await heldBearer(bearer, proveOidc, deps)
          : session !== undefined
            ? await heldSession(session, deps)
            : undefined;
      if (held !== undefined) return provenBy(held, deps);
      // An old cookie of a browser is nothing that somebody showed on purpose.
      if (bearer === undefined && local !== undefined) return provenBy({ principal: local, keys: [] }, deps);
      if (bearer === undefined && session === undefined) return undefined;
      throw new BackstayError('ACCESS_UNPROVEN', 'What was shown does not hold: it is unknown, expired or revoked.');
    },
  };
}

async function heldBearer(
  bearer: string,
  proveOidc: ReturnType<typeof createOidc>,
  deps: Deps,
): Promise<Held | undefined> {
  if (bearer.startsWith('bst_')) return await heldToken(bearer, deps);
  const proven = await proveOidc(bearer);
  return proven === undefined ? undefined : { ...proven, keys: [] };
}

function provenBy(held: Held, deps: Deps): Proven {
  return { ...held, ended: async (signal) => await endOf(held, deps, signal) };
}

/** Whatever comes first. Where removals cannot be told any more, it ends as well: whoever streams comes back and proves it again. */
async function endOf({ keys, expiresAt }: Held, { records, clock }: Deps, signal: AbortSignal): Promise<void> {
  const done = new AbortController();
  const either = AbortSignal.any([signal, done.signal]);
  const removal = async (): Promise<void> => {
    for await (const { key, record } of records.follow('token', either)) {
      if (keys.includes(key) && record === undefined) return;
    }
  };
  const absence = async (): Promise<void> => {
    const there = await Promise.all(keys.map(async (key) => await records.get('token', key)));
    if (there.includes(undefined)) return;
    await untilFired(either);
  };
  const ends = keys.length === 0 ? [untilFired(either)] : [removal(), absence()];
  if (expiresAt !== undefined) ends.push(expiry(expiresAt, clock, either));
  await Promise.race(ends.map(async (end) => await end.catch(() => undefined)));
  done.abort();
}

async function untilFired(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
}

/** Timers of Node hold no more than 24 days. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

async function expiry(at: number, clock: Clock, signal: AbortSignal): Promise<void> {
  while (clock.now() < at) await clock.delay(Math.min(at - clock.now(), LONGEST_TIMER_MS), signal);
}
