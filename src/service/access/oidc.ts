import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  decodeJwt,
  errors,
  type JSONWebKeySet,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose';
import { BackstayError, isBackstayError } from '../../errors/index.ts';
import type { OidcIssuer, Principal } from '../../model/index.ts';
import type { HttpClient } from '../../ports/index.ts';
import type { ServiceDeps } from '../deps.ts';
import { grantsFor } from './rules.ts';

/** Signatures alone: a shared secret would let whoever checks tokens make them. */
const ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];
/** Seconds by which clocks may differ. */
const SKEW_S = 60;
const TIMEOUT_MS = 10_000;

type Deps = Pick<ServiceDeps, 'http' | 'clock' | 'files'>;

/** Undefined: the token is of none of the issuers, or does not hold. @throws ENDPOINT_UNREACHABLE, TIMEOUT of the issuer */
export type ProveOidc = (
  token: string,
) => Promise<{ readonly principal: Principal; readonly expiresAt: number } | undefined>;

/** Tokens of issuers that the settings name, GitHub Actions and Kubernetes among them. Keys are fetched once, and again when new ones appear. */
export function createOidc(issuers: readonly OidcIssuer[], deps: Deps): ProveOidc {
  const keys = new Map<string, Promise<JWTVerifyGetKey>>();
  const keysOf = async (issuer: OidcIssuer): Promise<JWTVerifyGetKey> => {
    const known = keys.get(issuer.issuer) ?? openKeys(issuer, deps);
    keys.set(issuer.issuer, known);
    // What could not be reached may be reached next time.
    return await known.catch((error: unknown) => {
      keys.delete(issuer.issuer);
      throw error;
    });
  };
  return async (token) => {
    const named = issuerIn(token);
    const issuer = issuers.find((one) => one.issuer === named);
    if (issuer === undefined) return undefined;
    try {
      const { payload } = await jwtVerify(token, await keysOf(issuer), {
        issuer: issuer.issuer,
        audience: issuer.audience,
        algorithms: ALGORITHMS,
        clockTolerance: SKEW_S,
        currentDate: new Date(deps.clock.now()),
        requiredClaims: ['exp', 'sub'],
      });
      return { principal: principalOf(payload, issuer), expiresAt: ((payload.exp ?? 0) + SKEW_S) * 1000 };
    } catch (error) {
      if (isBackstayError(error) || !(error instanceof errors.JOSEError)) throw error;
      return undefined;
    }
  };
}

/** Who made it, by its own word: proven only afterwards, with that issuer's keys. */
function issuerIn(token: string): string | undefined {
  try {
    return decodeJwt(token).iss;
  } catch {
    return undefined;
  }
}

function principalOf(claims: JWTPayload, { issuer, rules, person: claim }: OidcIssuer): Principal {
  const subject = claims.sub ?? '';
  const { preferred_username: login, email, name } = claims;
  const called = [login, email, name].find((one) => typeof one === 'string');
  // A name alone is no person: several people have it.
  const person = [claim === undefined ? undefined : claims[claim], login, email].find((one) => typeof one === 'string');
  return {
    id: `oidc:${issuer}#${subject}`,
    name: called ?? subject,
    ...(person === undefined ? {} : { person }),
    by: 'oidc',
    grants: grantsFor(claims, rules),
  };
}

async function openKeys(issuer: OidcIssuer, deps: Deps): Promise<JWTVerifyGetKey> {
  const { jwks } = issuer;
  if (jwks !== undefined && !/^https?:/.test(jwks)) return await keysInFile(jwks, deps);
  const url = new URL(jwks ?? (await discover(issuer.issuer, deps.http)));
  return createRemoteJWKSet(url, {
    timeoutDuration: TIMEOUT_MS,
    [customFetch]: async (from, { signal }) => {
      const { status, body } = await ask(from, deps.http, signal);
      return new Response(body, { status, headers: { 'content-type': 'application/json' } });
    },
  });
}

async function keysInFile(path: string, { files }: Deps): Promise<JWTVerifyGetKey> {
  const bytes = await files.read(path);
  if (bytes === undefined)
    throw new BackstayError('KEY_MISSING', `There is no file ${path} with the keys of an issuer.`);
  return createLocalJWKSet(JSON.parse(new TextDecoder().decode(bytes)) as JSONWebKeySet);
}

async function discover(issuer: string, http: HttpClient): Promise<string> {
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const { status, body } = await ask(url, http);
  const found: unknown = status === 200 ? parsed(body) : undefined;
  const { issuer: said, jwks_uri: keys } = (found ?? {}) as { readonly issuer?: unknown; readonly jwks_uri?: unknown };
  if (said === issuer && typeof keys === 'string' && URL.canParse(keys)) return keys;
  throw new BackstayError('ENDPOINT_UNREACHABLE', `${url} does not say where the keys of ${issuer} are.`);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function ask(url: string, http: HttpClient, signal?: AbortSignal) {
  const headers = { accept: 'application/json' };
  return await http.request({
    method: 'GET',
    url,
    headers,
    timeoutMs: TIMEOUT_MS,
    ...(signal === undefined ? {} : { signal }),
  });
}
