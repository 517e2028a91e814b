import { BackstayError } from '../../errors/index.ts';
import type { Grant, Json, Principal } from '../../model/index.ts';
import type { ServiceRecord, ServiceStore } from '../../ports/index.ts';
import type { ServiceDeps } from '../deps.ts';
import type { Held } from './gate.ts';
import { idIn, isSecretOf, makeSecret } from './secret.ts';

/** What is kept of a token: enough to know it again, not to make it. */
interface KeptToken {
  readonly id: string;
  readonly name: string;
  /** SHA-256 of the token, hex. */
  readonly digest: string;
  readonly grants: readonly Grant[];
  /** Whose it is. Absent: of the one who is called as it is. */
  readonly person?: string;
  /** ISO 8601. */
  readonly createdAt: string;
  readonly createdBy: string;
  /** ISO 8601. Absent: until it is revoked. */
  readonly expiresAt?: string;
}

/** As lists show it. */
export type TokenView = Omit<KeptToken, 'digest'>;

export interface NewToken {
  /** Unique among the tokens that there are: the principal is called after it, in journals as well. */
  readonly name: string;
  readonly grants: readonly Grant[];
  /** Whose it is: as journals name them elsewhere (`anna`, `oidc:ISSUER#SUBJECT`), or as the claim of an issuer does. */
  readonly person?: string;
  /** Milliseconds from now. */
  readonly forMs?: number;
  /** Who makes it. */
  readonly by: string;
}

type Deps = Pick<ServiceDeps, 'records' | 'clock'>;

const PERSON = /^[!-~\u00a1-\uffff]{1,300}$/;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/** A name is held by a record of its own: of two makers one is told. */
const byId = (id: string): string => `id ${id}`;
const byName = (name: string): string => `name ${name}`;

/** The text is shown here and never again. @throws TOKEN_EXISTS, USAGE */
export async function createToken(
  { name, grants, person, forMs, by }: NewToken,
  { records, clock }: Deps,
): Promise<{ readonly token: string; readonly made: TokenView }> {
  if (!NAME.test(name))
    throw new BackstayError('USAGE', `${JSON.stringify(name)} is no name for a token: letters, digits, dots, dashes.`);
  if (person !== undefined && !PERSON.test(person))
    throw new BackstayError(
      'USAGE',
      `${JSON.stringify(person)} names no person: it has blanks, or more than 300 characters.`,
    );
  const secret = makeSecret('bst');
  const now = clock.now();
  const made: TokenView = {
    id: secret.id,
    name,
    grants,
    ...(person === undefined ? {} : { person }),
    createdAt: new Date(now).toISOString(),
    createdBy: by,
    ...(forMs === undefined ? {} : { expiresAt: new Date(now + forMs).toISOString() }),
  };
  if ((await records.put('token', byName(name), 0, secret.id)) === undefined)
    throw new BackstayError('TOKEN_EXISTS', `There is a token called ${name} already.`);
  const kept: KeptToken = { ...made, digest: secret.digest };
  await records.put('token', byId(secret.id), 0, kept as unknown as Json);
  return { token: secret.text, made };
}

/** By name. */
export async function listTokens({ records }: Pick<Deps, 'records'>): Promise<readonly TokenView[]> {
  const kept = await records.list('token', { prefix: byId('') });
  return kept
    .map((record) => {
      const { digest: _digest, ...view } = tokenIn(record);
      return view;
    })
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** From now on it opens nothing, and streams that it opened end. @throws TOKEN_UNKNOWN */
export async function revokeToken(name: string, { records }: Pick<Deps, 'records'>): Promise<void> {
  const held = await records.get('token', byName(name));
  if (held === undefined) throw new BackstayError('TOKEN_UNKNOWN', `There is no token called ${name}.`);
  // What opens goes first: killed in between, the name is held and the token is dead.
  await records.remove('token', byId(held.value as string), 0);
  await records.remove('token', byName(name), 0);
}

/** Undefined: it opens nothing, whatever the reason. */
export async function heldToken(text: string, { records, clock }: Deps): Promise<Held | undefined> {
  const id = idIn(text, 'bst');
  const record = id === undefined ? undefined : await records.get('token', byId(id));
  if (record === undefined) return undefined;
  const kept = tokenIn(record);
  return isSecretOf(text, kept.digest) ? heldAs(kept, record.key, clock.now()) : undefined;
}

function heldAs({ name, grants, person = name, expiresAt }: KeptToken, key: string, now: number): Held | undefined {
  const until = expiresAt === undefined ? undefined : Date.parse(expiresAt);
  if (until !== undefined && until <= now) return undefined;
  const principal: Principal = { id: `token:${name}`, name, person, by: 'token', grants };
  return { principal, keys: [key], ...(until === undefined ? {} : { expiresAt: until }) };
}

function tokenIn(record: ServiceRecord): KeptToken {
  return record.value as unknown as KeptToken;
}

/** Milliseconds after which a page asks for the token again. */
const SESSION_MS = 12 * 3_600_000;

interface KeptSession {
  readonly digest: string;
  readonly principal: Principal;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
  /** The token's record behind it. Absent: it was proven elsewhere. */
  readonly token?: string;
}

const bySession = (id: string): string => `session ${id}`;

/** For the page, in exchange for what was just proven: never longer than that holds. */
export async function openSession(
  { principal, expiresAt, keys }: Held,
  { records, clock }: Deps,
): Promise<{ readonly text: string; readonly expiresAt: number }> {
  const secret = makeSecret('bss');
  const until = Math.min(clock.now() + SESSION_MS, expiresAt ?? Infinity);
  const token = keys[0];
  const kept: KeptSession = {
    digest: secret.digest,
    principal,
    expiresAt: until,
    ...(token === undefined ? {} : { token }),
  };
  await records.put('token', bySession(secret.id), 0, kept as unknown as Json);
  return { text: secret.text, expiresAt: until };
}

/** What the token behind it may is asked anew each time: a revoked one ends its sessions. */
export async function heldSession(text: string, { records, clock }: Deps): Promise<Held | undefined> {
  const id = idIn(text, 'bss');
  const record = id === undefined ? undefined : await records.get('token', bySession(id));
  if (record === undefined) return undefined;
  const { digest, principal, expiresAt, token } = record.value as unknown as KeptSession;
  if (!isSecretOf(text, digest)) return undefined;
  if (expiresAt <= clock.now()) {
    await records.remove('token', record.key, record.version);
    return undefined;
  }
  if (token === undefined) return { principal, expiresAt, keys: [record.key] };
  const behind = await records.get('token', token);
  const held = behind === undefined ? undefined : heldAs(tokenIn(behind), token, clock.now());
  return held === undefined ? undefined : { principal: held.principal, expiresAt, keys: [record.key, token] };
}

export async function closeSession(text: string, { records }: { readonly records: ServiceStore }): Promise<void> {
  const id = idIn(text, 'bss');
  const record = id === undefined ? undefined : await records.get('token', bySession(id));
  if (record === undefined || !isSecretOf(text, (record.value as unknown as KeptSession).digest)) return;
  await records.remove('token', record.key, 0);
}

/** Sessions that nobody can use any more, for whoever sweeps. */
export async function dropOldSessions({ records, clock }: Deps): Promise<number> {
  const all = await records.list('token', { prefix: bySession('') });
  const old = all.filter(({ value }) => (value as unknown as KeptSession).expiresAt <= clock.now());
  await Promise.all(old.map(async ({ key, version }) => await records.remove('token', key, version)));
  return old.length;
}
