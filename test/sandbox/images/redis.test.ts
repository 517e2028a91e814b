import { createClient } from '@redis/client';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { type RedisServer, startRedis } from '../../../src/sandbox/images/redis/server.ts';
import { freePort } from '../../../src/free-port.ts';
import { temporaryFolder } from './support.ts';

const PASSWORD = 'a "test", only \\ here';

describe('the redis image', { timeout: 120_000 }, () => {
  const ends: (() => Promise<void> | void)[] = [];
  afterEach(async () => {
    for (const end of ends.splice(0).toReversed()) await end();
  });

  const started = async (env: Readonly<Record<string, string>>): Promise<RedisServer> => {
    const server = await startRedis({ ...process.env, REDIS_PASSWORD: PASSWORD, ...env }, () => undefined);
    ends.push(async () => await server.stop());
    return server;
  };
  const ask = async (port: number, ...command: readonly string[]): Promise<unknown> => {
    const socket = { host: '127.0.0.1', port, reconnectStrategy: false as const };
    const client = createClient({ socket, password: PASSWORD, RESP: 2 });
    client.on('error', () => undefined);
    await client.connect();
    try {
      return await client.sendCommand(command);
    } finally {
      client.destroy();
    }
  };
  const up = async (port: number): Promise<void> =>
    await expect.poll(async () => await ask(port, 'PING').catch(() => undefined), { timeout: 60_000 }).toBe('PONG');

  test.each([
    ['yes', 'aof_enabled:1'],
    ['no', 'aof_enabled:0'],
  ])('answers with its password, never as root, with AOF %s', async (aof, told) => {
    const folder = temporaryFolder();
    ends.push(() => folder.remove());
    const port = await freePort();
    const server = await started({
      PORT: String(port),
      REDIS_AOF_ENABLED: aof,
      REDIS_DATA_DIR: join(folder.path, 'data'),
    });
    await up(port);
    expect(await ask(port, 'INFO', 'persistence')).toContain(told);
    expect(readFileSync(`/proc/${server.pid}/cmdline`, 'utf8')).not.toContain('test');
    expect(readFileSync(`/proc/${server.pid}/environ`, 'utf8')).not.toContain('test');
    expect(/^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))?.[1]).not.toBe('0');
  });

  test('keeps its data when it is killed and starts again on the same folder', async () => {
    const folder = temporaryFolder();
    ends.push(() => folder.remove());
    const port = await freePort();
    const env = { PORT: String(port), REDIS_DATA_DIR: join(folder.path, 'data') };
    const first = await started(env);
    await up(port);
    await ask(port, 'SET', 'key', 'kept');
    await expect.poll(async () => await ask(port, 'INFO', 'persistence')).toContain('aof_buffer_length:0');
    process.kill(first.pid, 'SIGKILL');
    await first.exited;
    await started(env);
    await up(port);
    expect(await ask(port, 'GET', 'key')).toBe('kept');
    expect(readdirSync(folder.path)).toEqual(['data']);
  });

  test('is not started without a password', async () => {
    await expect(startRedis({ ...process.env, REDIS_PASSWORD: '' })).rejects.toThrow('REDIS_PASSWORD is not set');
  });
});
