import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadServiceSettings } from '../../src/config/index.ts';
import type { BackstayError } from '../../src/errors/index.ts';

describe('backstay.service.yaml', () => {
  let dir: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'backstay-settings-'));
  });
  afterAll(async () => await rm(dir, { recursive: true }));

  const load = async (yaml: string, listen?: string) => {
    const file = join(dir, 'service.yaml');
    await writeFile(file, yaml);
    const env = { BACKSTAY_PROJECT_DIR: dir };
    return await loadServiceSettings({ env, cwd: dir, file, ...(listen === undefined ? {} : { listen }) });
  };
  const problemsOf = async (yaml: string) =>
    await load(yaml).then(
      () => [],
      (error: BackstayError) => {
        expect(error.code).toBe('SERVICE_INVALID');
        return (error.details['problems'] as readonly { line: number; column: number; path: string }[]).map(
          ({ line, column, path }) => `${line}:${column} ${path}`,
        );
      },
    );

  it('need not be there: loopback, the user of this machine, nobody else', async () => {
    const settings = await loadServiceSettings({ env: { BACKSTAY_PROJECT_DIR: dir }, cwd: dir });
    expect(settings).toMatchObject({
      listen: { host: '127.0.0.1', port: 7787 },
      oidc: [],
      hosts: [],
      limits: { runs: 4, requestsPerMinute: 600, streams: 500 },
      retention: { decisionsMs: 90 * 86_400_000, plansMs: 30 * 86_400_000 },
    });
    expect(settings).not.toHaveProperty('tls');
  });

  it('has to be there when it was named', async () => {
    const options = { env: { BACKSTAY_PROJECT_DIR: dir }, cwd: dir, file: 'nowhere.yaml' };
    await expect(loadServiceSettings(options)).rejects.toMatchObject({ code: 'USAGE' });
  });

  it('is read whole, with paths relative to the project', async () => {
    const settings = await load(`
listen: "[::]:8443"
tls: { cert: tls/cert.pem, key: /etc/key.pem }
proxy: { trusted: [10.0.0.0/8, "fd00::1"] }
hosts: [backstay.example]
oidc:
  - issuer: https://token.actions.githubusercontent.com
    audience: backstay
    rules:
      - { claims: { repository: acme/shop, environment: production }, role: operator, stacks: [shop], approves: [release] }
  - issuer: https://kubernetes.default.svc
    jwks: keys/cluster.json
    audience: backstay
    rules: [{ claims: { sub: "system:serviceaccount:ops:*" }, role: viewer, stacks: ["*"] }]
limits: { runs: 2, streams: 7 }
retention: { decisions: 365d }
`);
    expect(settings).toMatchObject({
      listen: { host: '::', port: 8443 },
      tls: { cert: join(dir, 'tls/cert.pem'), key: '/etc/key.pem' },
      proxy: { trusted: ['10.0.0.0/8', 'fd00::1'] },
      limits: { runs: 2, requestsPerMinute: 600, streams: 7 },
      retention: { decisionsMs: 365 * 86_400_000 },
    });
    expect(settings.oidc.map(({ jwks }) => jwks)).toEqual([undefined, join(dir, 'keys/cluster.json')]);
  });

  it('gives way to --listen', async () => {
    expect((await load('listen: 127.0.0.1:1', '[::1]:0')).listen).toEqual({ host: '::1', port: 0 });
    for (const wrong of ['7787', 'a:b', '1.2.3.4:70000', ':80', '::1:80'])
      await expect(load('{}', wrong)).rejects.toMatchObject({ code: 'USAGE' });
  });

  it('names every place that does not fit', async () => {
    expect(
      await problemsOf(`listen: 7787
tls: { cert: a }
proxy: { trusted: [10.0.0.0/99] }
oidc:
  - issuer: http://id.example
    audience: backstay
    rules: [{ claims: {}, role: boss, stacks: [] }]
lissten: x
`),
    ).toEqual([
      '1:9 listen',
      '2:6 tls.key',
      '3:20 proxy.trusted[0]',
      '5:13 oidc[0].issuer',
      '7:23 oidc[0].rules[0].claims',
      '7:33 oidc[0].rules[0].role',
      '7:47 oidc[0].rules[0].stacks',
      '8:1 lissten',
    ]);
    expect(await problemsOf('listen: [')).toHaveLength(1);
    expect(await problemsOf('- a')).toEqual(['1:1 ']);
  });
});
