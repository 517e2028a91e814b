import { mkdir, mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readEnvironment } from '../../src/config/index.ts';
import { expandPath } from '../../src/config/paths.ts';

describe('the environment', () => {
  test('puts every folder where XDG says when nothing is set', () => {
    expect(readEnvironment({ HOME: '/home/a' }, '/project')).toMatchObject({
      projectDir: '/project',
      configDir: '/home/a/.config/backstay',
      dataDir: '/home/a/.local/share/backstay',
      stateDir: '/home/a/.local/state/backstay',
      cacheDir: '/home/a/.cache/backstay',
      snapshotsDir: '/project/snapshots',
      color: 'auto',
    });
  });

  test('lets a variable of ours win over XDG, and XDG over the default', () => {
    const found = readEnvironment(
      {
        HOME: '/h',
        XDG_STATE_HOME: '/s',
        BACKSTAY_CACHE_DIR: 'cache',
        BACKSTAY_SNAPSHOTS_DIR: '/snaps',
        KUBECONFIG: 'a:b',
      },
      '/project',
    );
    expect(found).toMatchObject({
      stateDir: '/s/backstay',
      cacheDir: '/project/cache',
      snapshotsDir: '/snaps',
      kubeconfig: 'a:b',
    });
  });

  test('takes an empty variable for an unset one and ignores a relative XDG folder', () => {
    const found = readEnvironment(
      { HOME: '/h', XDG_STATE_HOME: 'relative', BACKSTAY_STATE_DIR: '', KUBECONFIG: '' },
      '/p',
    );
    expect(found.stateDir).toBe('/h/.local/state/backstay');
    expect(found).not.toHaveProperty('kubeconfig');
  });

  test.each([
    [{ NO_COLOR: '1', FORCE_COLOR: '1' }, 'never'],
    [{ FORCE_COLOR: '1' }, 'always'],
    [{ FORCE_COLOR: '0' }, 'auto'],
    [{ NO_COLOR: '' }, 'auto'],
  ])('colour with %j is %s', (variables, color) => {
    expect(readEnvironment({ HOME: '/h', ...variables }, '/p').color).toBe(color);
  });

  test('says how a service is asked, and never what the token is', () => {
    expect(readEnvironment({ HOME: '/h' }, '/p').remote).toEqual({ hasToken: false, plainHttp: false });
    const variables = { BACKSTAY_TOKEN: 'bst_x', BACKSTAY_TOKEN_FILE: 'token', BACKSTAY_PLAIN_HTTP: '1' };
    const found = readEnvironment({ HOME: '/h', ...variables }, '/p');
    expect(found.remote).toEqual({ hasToken: true, tokenFile: '/p/token', plainHttp: true });
    expect(JSON.stringify(found)).not.toContain('bst_x');
  });

  test('finds the project from a folder below it', async () => {
    const root = await realpath(await mkdtemp(join(tmpdir(), 'backstay-env-')));
    try {
      await mkdir(join(root, 'stacks'));
      await mkdir(join(root, 'a/b'), { recursive: true });
      expect(readEnvironment({ HOME: '/h' }, join(root, 'a/b')).projectDir).toBe(root);
      expect(readEnvironment({ HOME: '/h', BACKSTAY_PROJECT_DIR: '/p' }, join(root, 'a/b')).projectDir).toBe('/p');
    } finally {
      await rm(root, { recursive: true });
    }
  });

  test.each([
    ['~/x', '/h/x'],
    ['~', '/h'],
    ['~other/x', '/p/~other/x'],
    ['$XDG_CONFIG_HOME/x', '/h/.config/x'],
    ['${XDG_STATE_HOME}/x', '/h/.local/state/x'],
    ['$XDG_CONFIG_HOMER/x', '/p/$XDG_CONFIG_HOMER/x'],
    ['/abs', '/abs'],
    ['a/../b', '/p/b'],
  ])('the path %s leads to %s', (path, expanded) => {
    expect(expandPath(path, '/p', readEnvironment({ HOME: '/h' }, '/p'))).toBe(expanded);
  });
});
