import { describe, expect, it } from 'vitest';
import { authOf, layoutOf } from '../../../src/sandbox/images/neo4j/settings.ts';

const POD = { BACKSTAY_POD_DATA: '/pods/one', BACKSTAY_POD_ADDRESS: '127.244.0.7' };

/** A server that runs in a pod is in test/adapters/neo4j/workload.test.ts: backed up, switched, stopped and started. */
describe('the neo4j image', () => {
  it('spells settings as the official one does, and takes none of its other variables for one', () => {
    const { settings } = layoutOf({
      ...POD,
      NEO4J_AUTH: 'neo4j/a password',
      NEO4J_EDITION: 'community',
      NEO4J_initial_dbms_default__database: 'neo4j-bs-r1',
      NEO4J_server_memory_pagecache_size: '48m',
      PATH: '/usr/bin',
    });
    expect(settings).toMatchObject({
      'initial.dbms.default_database': 'neo4j-bs-r1',
      'server.memory.pagecache.size': '48m',
      'server.bolt.listen_address': '127.244.0.7:7687',
    });
    expect(Object.keys(settings).filter((name) => /^(AUTH|EDITION|PATH)/.test(name))).toEqual([]);
    expect(JSON.stringify(settings)).not.toContain('a password');
  });

  it.each([
    ['the volume that is mounted at /data', '/volumes/pvc-1', '/volumes/pvc-1'],
    ['the pod’s own folder where nothing is mounted', '/data', '/pods/one/data'],
    ['the pod’s own folder where nobody said', undefined, '/pods/one/data'],
  ])('keeps its data in %s', (_where, given, data) => {
    const layout = layoutOf({ ...POD, ...(given === undefined ? {} : { NEO4J_server_directories_data: given }) });
    expect(layout.data).toBe(data);
    expect(layout.settings['server.directories.data']).toBe(data);
    expect(layout.home).toBe('/pods/one/neo4j');
  });

  it.each([
    ['neo4j/long enough', { password: 'long enough' }],
    ['neo4j/with/slashes', { password: 'with/slashes' }],
    ['none', undefined],
  ])('understands NEO4J_AUTH=%s', (given, auth) => {
    expect(authOf({ NEO4J_AUTH: given })).toEqual(auth);
  });

  it.each(['', 'ada/long enough', 'neo4j/short', 'neo4j'])('refuses NEO4J_AUTH=%s', (given) => {
    expect(() => authOf({ NEO4J_AUTH: given })).toThrow('NEO4J_AUTH');
  });
});
