import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { ImageCatalog, parseReference } from '../../../../src/sandbox/node/images/catalog.ts';

const entry = fileURLToPath(import.meta.url);
const catalog = new ImageCatalog([
  { repository: 'medical/gateway', tags: ['1', '2'], entry },
  { repository: 'redis', tags: ['latest'], entry },
  { repository: 'ghcr.io/team/app', tags: ['v1'], entry },
]);

describe('the images of a node', () => {
  test.each([
    'medical/gateway:1',
    'docker.io/medical/gateway:2',
    'redis',
    'docker.io/library/redis:latest',
    'ghcr.io/team/app:v1',
  ])('has %s', (name) => {
    expect(catalog.pull(name)).toMatchObject({ ok: true });
  });

  test.each(['medical/gateway:3', 'medical/gateway', 'app:v1', 'nobody/nothing:1', 'ghcr.io/medical/gateway:1'])(
    'does not have %s, and says so as a registry would',
    (name) => {
      const result = catalog.pull(name);
      expect(result).toMatchObject({ ok: false, reason: 'ErrImagePull' });
      expect(result).toHaveProperty('message', expect.stringContaining('not found'));
    },
  );

  test.each(['team/UPPER:1', '', 'a b', 'x:'])('refuses "%s" as a name', (name) => {
    expect(catalog.pull(name)).toMatchObject({ ok: false, reason: 'InvalidImageName' });
  });

  test('gives an image the same id every time, another for each tag, and finds it by that id', () => {
    const id = (name: string): string => {
      const result = catalog.pull(name);
      return result.ok ? result.pulled.imageID : '';
    };
    expect(id('medical/gateway:1')).toMatch(/^medical\/gateway@sha256:[0-9a-f]{64}$/);
    expect(id('medical/gateway:1')).toBe(id('medical/gateway:1'));
    expect(id('medical/gateway:1')).not.toBe(id('medical/gateway:2'));
    expect(catalog.pull(id('medical/gateway:2'))).toMatchObject({ ok: true, pulled: { tag: '2' } });
    expect(catalog.pull(`medical/gateway@sha256:${'0'.repeat(64)}`)).toMatchObject({ ok: false });
  });

  test('takes a name apart', () => {
    expect(parseReference('localhost:5000/a/b:t')).toEqual({ repository: 'localhost:5000/a/b', tag: 't' });
    expect(parseReference('a')).toEqual({ repository: 'a' });
  });
});
