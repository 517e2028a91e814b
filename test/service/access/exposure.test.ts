import { describe, expect, it } from 'vitest';
import { frontOf } from '../../../src/http/front.ts';
import type { OidcIssuer, ServiceSettings } from '../../../src/model/index.ts';
import { hostsOf, isLoopback, localPrincipal, refuseOpen } from '../../../src/service/access/exposure.ts';

const oidc: readonly OidcIssuer[] = [
  {
    issuer: 'https://id.example',
    audience: 'backstay',
    rules: [{ claims: { sub: '*' }, role: 'viewer', stacks: ['*'] }],
  },
];
const settings = (over: Partial<ServiceSettings> = {}, host = '127.0.0.1'): ServiceSettings => ({
  listen: { host, port: 7787 },
  hosts: [],
  oidc: [],
  limits: { runs: 4, requestsPerMinute: 600, streams: 500 },
  retention: { decisionsMs: 1, deliveriesMs: 1, plansMs: 1 },
  ...over,
});
const tls = { cert: 'cert.pem', key: 'key.pem' };
const proxy = { trusted: ['10.0.0.0/8', '192.168.1.7', 'fd00::/8'] };

describe('an address', () => {
  it.each([
    ['127.0.0.1', true],
    ['127.8.9.10', true],
    ['::1', true],
    ['localhost', true],
    ['0.0.0.0', false],
    ['::', false],
    ['10.0.0.1', false],
    ['127.0.0.1.evil.example', false],
    ['localhost.evil.example', false],
    ['', false],
  ])('%j is loopback: %s', (host, expected) => expect(isLoopback(host)).toBe(expected));
});

describe('a service beyond loopback', () => {
  it.each([
    ['on loopback', settings(), 0, undefined],
    ['with nothing', settings({}, '0.0.0.0'), 0, ['nobody could be known', 'tokens could be read']],
    ['with tokens alone', settings({}, '0.0.0.0'), 1, ['tokens could be read']],
    ['with TLS alone', settings({ tls }, '0.0.0.0'), 0, ['nobody could be known']],
    ['with an issuer and TLS', settings({ tls, oidc }, '0.0.0.0'), 0, undefined],
    ['with tokens, behind a proxy', settings({ proxy }, '::'), 2, undefined],
  ] as const)('%s', (_, given, tokens, lacks) => {
    const start = () => refuseOpen(given, tokens);
    if (lacks === undefined) return expect(start).not.toThrow();
    expect(start).toThrow(expect.objectContaining({ code: 'SERVICE_OPEN', exitCode: 64 }));
    for (const lack of lacks) expect(start).toThrow(lack);
  });
});

describe('who is let in with nothing to show', () => {
  it('is the user of this machine, where nobody else can come', () => {
    expect(localPrincipal(settings(), 0, 'anna')).toMatchObject({ id: 'local:anna', by: 'local' });
  });

  it.each([
    ['beyond loopback', settings({}, '0.0.0.0'), 0],
    ['with a proxy before it', settings({ proxy }), 0],
    ['with an issuer', settings({ oidc }), 0],
    ['with a token made', settings(), 1],
  ])('is nobody %s', (_, given, tokens) => expect(localPrincipal(given, tokens, 'anna')).toBeUndefined());
});

describe('the names that are ours', () => {
  it('are those of loopback with the port, and those that were set', () => {
    expect(hostsOf(settings(), 7787)).toEqual(['localhost:7787', '127.0.0.1:7787', '[::1]:7787']);
    expect(hostsOf(settings({ hosts: ['box.example'] }, '127.0.0.9'), 80)).toEqual([
      'localhost',
      '127.0.0.1',
      '[::1]',
      '127.0.0.9',
      'box.example',
    ]);
    expect(hostsOf(settings({ tls, hosts: ['a.example'] }, '0.0.0.0'), 443)).toEqual(['a.example']);
    expect(hostsOf(settings({ tls }, '0.0.0.0'), 443)).toBeUndefined();
  });
});

describe('a proxy of ours', () => {
  const front = frontOf(settings({ proxy }), 7787);
  it.each([
    ['10.1.2.3', true],
    ['::ffff:10.1.2.3', true],
    ['192.168.1.7', true],
    ['192.168.1.8', false],
    ['fd12::1', true],
    ['2001:db8::1', false],
    ['unknown', false],
  ])('comes from %s: %s', (address, expected) => expect(front.isTrusted(address)).toBe(expected));

  it('makes cookies those of TLS, and figures those of tokens', () => {
    expect(frontOf(settings({ proxy }), 7787)).toMatchObject({ secure: true, openMetrics: false });
    expect(frontOf(settings(), 7787)).toMatchObject({ secure: false, openMetrics: true });
  });
});
