import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { knownSecrets } from '../../src/evidence/known-secrets.ts';
import { redactorOf } from '../../src/evidence/redact.ts';
import { secret as secretOf } from '../support/snapshots.ts';

const configMap = (name: string, data: Record<string, string>) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'production' },
  data,
});

/** How programs write a value down. Each is undone by `decode` in the test, so that hiding is measured on the meaning. */
const WRITINGS: Readonly<Record<string, (value: string) => string>> = {
  'as it is': (value) => value,
  'in JSON': (value) => JSON.stringify({ said: value }),
  'in JSON inside of JSON': (value) => JSON.stringify({ body: JSON.stringify({ said: value }) }),
  'in a URL': (value) => `/login?p=${encodeURIComponent(value)}&x=1`,
  'in a form': (value) => new URLSearchParams({ p: value }).toString(),
  'in base64': (value) => Buffer.from(value).toString('base64'),
  'in base64url': (value) => Buffer.from(value).toString('base64url'),
  'in basic credentials': (value) => Buffer.from(`user:${value}`).toString('base64'),
  'in the base64 of a file': (value) => Buffer.from(`line one\nx: ${value}\nmore of it`).toString('base64'),
  'in hex': (value) => Buffer.from(value).toString('hex'),
};

describe('redaction', () => {
  const readable = fc.string({ unit: 'grapheme', minLength: 8, maxLength: 40 }).filter((text) => text.trim() === text);

  it.each(Object.entries(WRITINGS))('leaves no planted secret %s', (_name, write) => {
    fc.assert(
      fc.property(readable, fc.string(), fc.string(), (value, before, after) => {
        const written = write(value);
        const { text } = redactorOf([{ name: 'x', value }])(`${before} ${written} ${after}`);
        expect(text).not.toContain(value);
        expect(text).not.toContain(Buffer.from(value).toString('base64').replace(/=*$/, '').slice(2, -2));
        expect(text).not.toContain(Buffer.from(value).toString('hex'));
        expect(text).not.toContain(written);
      }),
      { numRuns: 300 },
    );
  });

  it('leaves none of many that overlap', () => {
    const values = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 6, maxLength: 12 }), {
      minLength: 1,
      maxLength: 6,
    });
    fc.assert(
      fc.property(values, (secrets) => {
        const redact = redactorOf(secrets.map((value, index) => ({ name: `N${index}`, value })));
        const { text } = redact(secrets.join(''));
        for (const value of secrets) expect(text).not.toContain(value);
      }),
    );
  });

  it('changes nothing where nothing is secret', () => {
    const line = '2026-01-01T00:00:00.000Z GET /health 200 in 3 ms; secretName: db, tokenExpirationSeconds: 3600';
    expect(redactorOf([{ name: 'x', value: 'not in there' }])(line)).toEqual({ text: line, count: 0 });
  });

  it('names what stood there', () => {
    expect(redactorOf([{ name: 'db.password', value: 'hunter22' }])('login with hunter22 failed').text).toBe(
      'login with [redacted:db.password] failed',
    );
  });

  it.each([
    ['Authorization: Bearer abc.def-123456', 'abc.def'],
    ['{"authorization":"Basic dXNlcjpwYXNzd29yZA=="}', 'dXNlcjpwYXNzd29yZA'],
    ['curl -H "Proxy-Authorization: Digest username=x"', 'Digest'],
    ['sent with bearer 0123456789abcdef', '0123456789abcdef'],
    ['password=correct-horse', 'correct-horse'],
    ['{"db_password": "it has \\"quotes\\" and spaces"}', 'quotes'],
    ["DB_PASSWORD='s p a c e'", 's p a c e'],
    ['api_key: 12345', '12345'],
    ['{"name": "SESSION_SECRET", "value": "plain in the manifest"}', 'plain in the manifest'],
    ['"{\\"token\\":\\"inner-token\\"}"', 'inner-token'],
    ['postgres://kg:p4ss@db:5432/kg', 'p4ss'],
    ['redis://:only-password@cache', 'only-password'],
    ['a=1&access_token=tok123&b=2', 'tok123'],
    ['-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nAbCd\n-----END RSA PRIVATE KEY-----', 'MIIEow'],
    ['{"key":"-----BEGIN PRIVATE KEY-----\\nMIIEow\\nAb', 'MIIEow'],
    ['eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl', 'eyJzdWIiOiIxIn0'],
    ['ghp_0123456789abcdefghijABCDEFGHIJ012345', '0123456789abcdefghij'],
    ['AKIAIOSFODNN7EXAMPLE', 'AKIAIOSFODNN7EXAMPLE'],
    ['AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQQQQQQ', 'QQQQQQQQ'],
  ])('takes what looks like a secret out of %s', (line, secret) => {
    const { text, count } = redactorOf([])(`before ${line} after`);
    expect(text).not.toContain(secret);
    expect(text).toMatch(/^before .*\[redacted:/s);
    expect(count).toBeGreaterThan(0);
  });

  it('keeps what is needed to read the rest', () => {
    const { text } = redactorOf([])(
      'a=1&access_token=tok123&b=2 postgres://kg:p4ss@db:5432/kg secretKeyRef: {name: db}',
    );
    expect(text).toBe(
      'a=1&access_token=[redacted:setting]&b=2 postgres://kg:[redacted:password]@db:5432/kg secretKeyRef: {name: db}',
    );
  });

  it('leaves JSON that it went over readable as JSON', () => {
    fc.assert(
      fc.property(fc.json(), readable, (json, value) => {
        const document = JSON.stringify({ json: JSON.parse(json) as unknown, value, password: value }, null, 2);
        const { text } = redactorOf([{ name: 'x', value }])(document);
        expect((JSON.parse(text) as { value: string }).value).toBe('[redacted:x]');
      }),
    );
  });

  it('goes over twenty megabytes with a thousand secrets, and finds the one at the end', () => {
    const secrets = Array.from({ length: 1_000 }, (_, index) => ({
      name: 's',
      value: `value-${index}-${index * 7919}`,
    }));
    const line =
      '2026-01-01T00:00:00.000000000Z {"level":"info","msg":"request","path":"/v1/documents","status":200}\n';
    const redact = redactorOf(secrets);
    const text = line.repeat(Math.round((20 * 1024 ** 2) / line.length));
    expect(redact(`${text}value-999-${999 * 7919}\n`)).toEqual({ text: `${text}[redacted:s]\n`, count: 1 });
  });
});

describe('what is known to be secret', () => {
  it('is every value of a Secret, and what is secret inside of it', () => {
    const known = knownSecrets([
      secretOf('db', {
        password: 'hunter22',
        url: 'postgres://kg:p%40ss%2Fword@db/kg',
        'app.env': 'LEVEL=info\nAPI_TOKEN="inner-token"\n',
        '.dockerconfigjson': JSON.stringify({ auths: { registry: { auth: 'dXNlcjpwdw==' } } }),
        short: 'abc',
      }),
    ]).map(({ value }) => value);
    for (const value of ['hunter22', 'p%40ss%2Fword', 'p@ss/word', 'inner-token', 'dXNlcjpwdw==']) {
      expect(known).toContain(value);
    }
    expect(known).not.toContain('abc');
  });

  it('is each line of a key file: a log has a time in front of each', () => {
    const key =
      '-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\nAQEFAASCBKcwggSjAgEAAoIB\n-----END PRIVATE KEY-----\n';
    const redact = redactorOf(knownSecrets([secretOf('tls', { 'tls.key': key })]));
    const log = key.replaceAll(/^/gm, '2026-01-01T00:00:00Z ');
    expect(redact(log).text).not.toContain('MIIEvQIBADANBgkqhkiG9w0B');
    expect(redact(log).text).not.toContain('AQEFAASCBKcwggSjAgEAAoIB');
  });

  it('is the password of a connection string in a ConfigMap', () => {
    const known = knownSecrets([configMap('app', { DATABASE_URL: 'postgres://kg:in-the-open@db/kg' })]);
    expect(known.map(({ value }) => value)).toContain('in-the-open');
  });

  it('is not the open name of something, unless it is called a secret', () => {
    const objects = [
      { apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: { name: 'postgres', namespace: 'production' } },
      secretOf('db', { POSTGRES_USER: 'postgres', POSTGRES_PASSWORD: 'production' }),
    ];
    expect(knownSecrets(objects)).toEqual([{ name: 'db.POSTGRES_PASSWORD', value: 'production' }]);
  });
});
