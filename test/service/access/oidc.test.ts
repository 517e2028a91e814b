import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { OidcIssuer } from '../../../src/model/index.ts';
import { createOidc } from '../../../src/service/access/oidc.ts';
import { createHttpClient, createPrivateFiles, createSystemClock } from '../../../src/adapters/system/index.ts';

type Pair = Awaited<ReturnType<typeof generateKeyPair>>;

/** An issuer as GitHub or a cluster is one: a real server with a description and keys. */
describe('a token of an issuer', () => {
  let server: Server;
  let url: string;
  let pair: Pair;
  let dir: string;
  let keys: JWK[] = [];
  let issuerSays: string | undefined;
  let asked: string[] = [];
  const http = createHttpClient();
  const deps = { http, clock: createSystemClock(), files: createPrivateFiles() };

  const jwk = async ({ publicKey }: Pair, kid: string): Promise<JWK> => ({
    ...(await exportJWK(publicKey)),
    kid,
    alg: 'RS256',
    use: 'sig',
  });

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'backstay-oidc-'));
    pair = await generateKeyPair('RS256');
    keys = [await jwk(pair, 'one')];
    server = createServer((request, response) => {
      asked.push(request.url ?? '');
      const body =
        request.url === '/keys' ? { keys } : { issuer: issuerSays ?? url, jwks_uri: `${url}/keys`, more: 'ignored' };
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(body));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(async () => {
    await http.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await rm(dir, { recursive: true });
  });

  const issuer = (over: Partial<OidcIssuer> = {}): OidcIssuer => ({
    issuer: url,
    audience: 'backstay',
    rules: [{ claims: { repository: 'acme/*' }, role: 'operator', stacks: ['shop'] }],
    ...over,
  });
  const now = (): number => Math.floor(Date.now() / 1000);
  const token = async (
    claims: Record<string, unknown> = {},
    { key = pair.privateKey, alg = 'RS256', kid = 'one' } = {},
  ) =>
    await new SignJWT({
      iss: url,
      aud: 'backstay',
      sub: 'repo:acme/shop',
      exp: now() + 300,
      repository: 'acme/shop',
      ...claims,
    })
      .setProtectedHeader({ alg, kid })
      .sign(key);

  it.each<[string, Partial<OidcIssuer>, Record<string, unknown>, string | undefined]>([
    ['by the claim that the settings name', { person: 'actor' }, { actor: 'anna', email: 'ci@example' }, 'anna'],
    ['by its login where that claim is missing', { person: 'actor' }, { preferred_username: 'anna' }, 'anna'],
    ['by its login', {}, { preferred_username: 'anna', email: 'anna@example', name: 'Anna A' }, 'anna'],
    ['by its mail', {}, { email: 'anna@example', name: 'Anna A' }, 'anna@example'],
    ['by its subject alone, as several people may have a name', {}, { name: 'Anna A' }, undefined],
    ['by its subject alone, where the claim is no text', { person: 'actor' }, { actor: ['anna'] }, undefined],
  ])('tells whose it is: %s', async (_, over, claims, person) => {
    const proven = await createOidc([issuer(over)], deps)(await token(claims));
    expect(proven?.principal.person).toBe(person);
  });

  it('proves who its subject is, with what its claims grant, for as long as it holds', async () => {
    const proven = await createOidc([issuer()], deps)(await token());
    expect(proven).toMatchObject({
      principal: {
        id: `oidc:${url}#repo:acme/shop`,
        by: 'oidc',
        grants: [{ role: 'operator', stacks: ['shop'] }],
      },
    });
    expect(proven?.expiresAt).toBeGreaterThan(Date.now());
    expect(proven?.expiresAt).toBeLessThan(Date.now() + 400_000);
  });

  it('grants nothing where no rule fits: somebody who is known, and may nothing', async () => {
    const proven = await createOidc([issuer()], deps)(await token({ repository: 'other/shop' }));
    expect(proven?.principal.grants).toEqual([]);
  });

  it.each([
    ['for somebody else', { aud: 'another' }],
    ['expired', { exp: now() - 120 }],
    ['not valid yet', { nbf: now() + 600 }],
    ['without an end', { exp: undefined }],
    ['without a subject', { sub: undefined }],
    ['of another issuer', { iss: 'https://evil.example' }],
  ])('does not hold %s', async (_, claims) => {
    expect(await createOidc([issuer()], deps)(await token(claims))).toBeUndefined();
  });

  it('holds over clocks that differ by less than a minute', async () => {
    expect(await createOidc([issuer()], deps)(await token({ exp: now() - 30 }))).toBeDefined();
  });

  it('does not hold with a signature of somebody else, a shared secret, or none', async () => {
    const prove = createOidc([issuer()], deps);
    const other = await generateKeyPair('RS256');
    expect(await prove(await token({}, { key: other.privateKey }))).toBeUndefined();
    const shared = new TextEncoder().encode(JSON.stringify(keys[0]));
    const forged = await new SignJWT({ iss: url, aud: 'backstay', sub: 'x', exp: now() + 300 })
      .setProtectedHeader({ alg: 'HS256', kid: 'one' })
      .sign(shared);
    expect(await prove(forged)).toBeUndefined();
    const [, payload] = (await token()).split('.');
    const none = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${payload ?? ''}.`;
    expect(await prove(none)).toBeUndefined();
    for (const junk of ['', 'a', 'a.b', 'a.b.c', '..']) expect(await prove(junk)).toBeUndefined();
  });

  it('asks the issuer for its keys once, whoever asks and how often', async () => {
    asked = [];
    const prove = createOidc([issuer()], deps);
    const text = await token();
    await Promise.all([prove(text), prove(text), prove(text)]);
    await prove(text);
    expect(asked.toSorted()).toEqual(['/.well-known/openid-configuration', '/keys']);
  });

  it('takes keys from a file, for a cluster that serves them to nobody', async () => {
    asked = [];
    const file = join(dir, 'keys.json');
    await writeFile(file, JSON.stringify({ keys }));
    expect(await createOidc([issuer({ jwks: file })], deps)(await token())).toBeDefined();
    await expect(createOidc([issuer({ jwks: join(dir, 'none') })], deps)(await token())).rejects.toMatchObject({
      code: 'KEY_MISSING',
    });
    expect(asked).toEqual([]);
  });

  it('is not judged while its issuer cannot be asked, or names itself differently; later it is', async () => {
    issuerSays = 'https://evil.example';
    const prove = createOidc([issuer()], deps);
    const text = await token();
    await expect(prove(text)).rejects.toMatchObject({ code: 'ENDPOINT_UNREACHABLE' });
    issuerSays = undefined;
    expect(await prove(text)).toBeDefined();
  });
});
