import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { Credentials } from '../../../src/adapters/kubernetes/credentials.ts';
import { loadAccess } from '../../../src/adapters/kubernetes/kubeconfig.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'backstay-kubeconfig-'));
  await mkdir(join(dir, 'home', '.kube'), { recursive: true });
  await writeFile(join(dir, 'home', '.kube', 'config'), stringify(config('home', 'https://home:6443/')));
});
afterAll(() => rm(dir, { recursive: true }));

function config(name: string, server: string, user: object = { token: `${name}-token` }): Record<string, unknown> {
  return {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster: { server } }],
    users: [{ name, user }],
    contexts: [{ name, context: { cluster: name, user: name } }],
    'current-context': name,
  };
}

async function file(name: string, content: unknown): Promise<string> {
  const path = join(dir, name);
  await writeFile(path, typeof content === 'string' ? content : stringify(content));
  return path;
}

describe('the kubeconfig', () => {
  it('that is named wins over KUBECONFIG, and KUBECONFIG over the home folder', async () => {
    const named = await file('named', config('named', 'https://named'));
    const listed = await file('listed', config('listed', 'https://listed'));
    const env = { HOME: join(dir, 'home'), KUBECONFIG: listed };
    await expect(loadAccess({ kubeconfig: named, env })).resolves.toMatchObject({ server: 'https://named' });
    await expect(loadAccess({ env })).resolves.toMatchObject({ server: 'https://listed' });
    await expect(loadAccess({ env: { HOME: env.HOME } })).resolves.toMatchObject({
      server: 'https://home:6443',
      context: 'home',
    });
  });

  it('may be several files, of which the first to name a thing wins and missing ones are passed over', async () => {
    const first = await file('first', config('same', 'https://first'));
    const second = await file('second', {
      ...config('same', 'https://second'),
      contexts: [{ name: 'extra', context: { cluster: 'same', user: 'same' } }],
    });
    const env = { KUBECONFIG: [join(dir, 'missing'), first, second].join(delimiter) };
    await expect(loadAccess({ env })).resolves.toMatchObject({ server: 'https://first', context: 'same' });
    await expect(loadAccess({ env, context: 'extra' })).resolves.toMatchObject({
      server: 'https://first',
      context: 'extra',
      files: [first, second],
    });
  });

  it('names paths relative to itself', async () => {
    await writeFile(join(dir, 'token'), 'from-file\n');
    const access = await loadAccess({
      kubeconfig: await file('relative', config('r', 'https://r', { tokenFile: 'token' })),
    });
    expect(access.user.tokenFile).toBe(join(dir, 'token'));
    await expect(new Credentials(access).prove()).resolves.toMatchObject({
      headers: { authorization: 'Bearer from-file' },
    });
  });

  it('is not needed in a pod', async () => {
    const env = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '443' };
    await expect(loadAccess({ env })).resolves.toMatchObject({ server: 'https://[fd00::1]:443', files: [] });
  });

  it.each([
    ['a missing file', '', {}, 'cannot be read'],
    ['text that is no YAML', '{', {}, 'is not YAML'],
    ['nothing', '', { empty: true }, 'holds no configuration'],
    ['a context that is not there', undefined, { context: 'hoem' }, "There is no context 'hoem'"],
    [
      'a cluster without a server',
      { ...config('a', 'x'), clusters: [{ name: 'a', cluster: {} }] },
      {},
      'has no usable server address',
    ],
    [
      'a user that is not there',
      { ...config('a', 'https://a'), users: [] },
      {},
      "User 'a' of context 'a' is not defined",
    ],
    [
      'two contexts and none chosen',
      {
        ...config('a', 'https://a'),
        'current-context': '',
        contexts: [
          { name: 'p', context: {} },
          { name: 'q', context: {} },
        ],
      },
      {},
      'No context is chosen',
    ],
  ])(
    'is refused by name when it is or holds %s',
    async (title, content, { context, empty }: { context?: string; empty?: boolean }, message) => {
      const missing = content === '' && empty !== true;
      const kubeconfig =
        content === undefined
          ? join(dir, 'home', '.kube', 'config')
          : missing
            ? join(dir, 'no', title)
            : await file(title, content);
      await expect(loadAccess({ kubeconfig, context })).rejects.toMatchObject({
        code: 'KUBECONFIG_INVALID',
        message: expect.stringContaining(message),
      });
    },
  );

  it('suggests the context that was meant', async () => {
    const asked = loadAccess({ env: { HOME: join(dir, 'home') }, context: 'hoem' });
    await expect(asked).rejects.toMatchObject({ next: "Did you mean 'home'?" });
  });
});
