import { afterAll, describe, expect, test } from 'vitest';
import { createKeiko, SERVICES } from '../../../src/sandbox/images/keiko/server.ts';
import { releaseOf } from '../../../src/sandbox/images/keiko/release.ts';
import { call } from '../../../src/sandbox/images/kit/call.ts';
import type { Env } from '../../../src/sandbox/images/kit/service.ts';
import { SANDBOX_IMAGES } from '../../../src/sandbox/images/registry.ts';
import { Started } from './support.ts';

type Tags = Readonly<Record<(typeof SERVICES)[number], string>>;

const GOOD = Object.fromEntries(SERVICES.map((service) => [service, 'v1.2.0'])) as Tags;

describe('Keiko', () => {
  const started = new Started();
  afterAll(async () => await started.stop());

  /** The whole of it; what its gateway answers at a path. */
  const keiko = async (tags: Partial<Tags> = {}): Promise<(path: string) => Promise<readonly [number, unknown]>> => {
    const urls: Record<string, string> = {};
    for (const service of SERVICES) {
      const env: Env = { ...urls, SERVICE_NAME: service, BACKSTAY_IMAGE_TAG: { ...GOOD, ...tags }[service] };
      const { url } = await started.service((deps) => createKeiko(env, deps));
      urls[`${service.toUpperCase().replaceAll('-', '_')}_URL`] = url;
    }
    return async (path) => {
      const { status, json } = await call(`${urls['GATEWAY_BFF_URL'] ?? ''}${path}`);
      return [status, json];
    };
  };

  test('v1.2.0 answers a question through all of its services, each of which is well', async () => {
    const ask = await keiko();
    expect(await ask('/api/chat?q=rollback')).toEqual([200, { hits: ['rollback plan'] }]);
    expect(await ask('/api/documents')).toMatchObject([200, {}]);
    for (const service of SERVICES)
      expect(await ask(service === 'gateway-bff' ? '/health' : `/${service}/health`)).toEqual([200, { status: 'ok' }]);
  });

  test.each<[string, Partial<Tags>, readonly (readonly [path: string, status: number])[]]>([
    [
      'v1.3.0 asks an index that nobody filled',
      Object.fromEntries(SERVICES.map((service) => [service, 'v1.3.0'])),
      [
        ['/api/chat?q=rollback', 502],
        ['/chat-service/health', 503],
        ['/search-service/health', 503],
        ['/auth-service/health', 200],
        ['/api/documents', 200],
      ],
    ],
    [
      'its chat-service alone asks an index that there is not',
      { 'chat-service': 'v1.3.0' },
      [
        ['/chat-service/health', 503],
        ['/search-service/health', 200],
      ],
    ],
    [
      'a service that went back before auth-service does not know its tokens',
      { 'auth-service': 'v1.3.0' },
      [['/api/documents', 401]],
    ],
    ['one that goes back after it knows both kinds', { 'document-service': 'v1.3.0' }, [['/api/documents', 200]]],
  ])('%s', async (_what, tags, expected) => {
    const ask = await keiko(tags);
    for (const [path, status] of expected) expect([path, (await ask(path))[0]]).toEqual([path, status]);
  });

  test('is one program under five names, in the releases that the sandbox has', () => {
    const images = SANDBOX_IMAGES.filter(({ repository }) => repository.startsWith('keiko/'));
    expect(images.map(({ env }) => env?.['SERVICE_NAME'])).toEqual([...SERVICES]);
    for (const { repository, tags, env } of images) {
      expect(repository).toBe(`keiko/${env?.['SERVICE_NAME'] ?? ''}`);
      for (const tag of tags) expect(releaseOf(tag).takes).toContain(releaseOf(tag).token);
    }
    expect(() => releaseOf('v9')).toThrow('no release v9');
    expect(() => createKeiko({ SERVICE_NAME: 'mail-service' })).toThrow('SERVICE_NAME is mail-service');
  });
});
