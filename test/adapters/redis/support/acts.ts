import { readdirSync } from 'node:fs';
import { createBackupShelf } from '../../../../src/adapters/fs/index.ts';
import { createRedisStore, type RedisTools } from '../../../../src/adapters/redis/index.ts';
import { createSystemClock } from '../../../../src/adapters/system/index.ts';
import { join } from 'node:path';

/** Does what a run does, says `now` in the middle of an act or right after it, and waits there to be killed. */
const { port, tools, root, act } = JSON.parse(process.env['ACTS'] ?? '{}') as {
  readonly port: number;
  readonly tools: RedisTools;
  readonly root: string;
  readonly act: 'backup' | 'restore' | 'swap' | 'undo';
};
const connection = { host: '127.0.0.1', port, database: 0, spare: 9 };
const clock = createSystemClock();
const folder = join(root, 'shop', 'cache');
const shelf = createBackupShelf(folder, clock);
const store = createRedisStore({
  stack: 'shop',
  setting: { name: 'cache', kind: 'redis', connection, tables: [], writers: [] },
  access: async () => ({ connection, password: process.env['REDIS_TEST_PASSWORD'] }),
  shelf,
  clock,
  tools: async () => tools,
});

const alive = setInterval(() => undefined, 60_000);
const sayNow = (): void => void process.stdout.write('now\n');

if (act === 'backup') {
  const before = readdirSync(folder).length;
  const look = setInterval(() => {
    if (readdirSync(folder).length > before) sayNow();
  }, 1);
  await store.backup().finally(() => clearInterval(look));
}
const backup = (await store.backups()).findLast((one) => 'manifest' in one);
if (backup === undefined || !('manifest' in backup)) throw new TypeError('no backup');
if (act === 'restore') {
  const look = setInterval(() => {
    void store.integrity('db9').then(
      ({ rows }) => (rows['db0'] ?? 0) > 300 && sayNow(),
      () => undefined,
    );
  }, 5);
  await store.restoreBeside(backup, 'r1').finally(() => clearInterval(look));
}
if ((await store.stateOf('r1')) === 'nothing') await store.restoreBeside(backup, 'r1');
if ((await store.stateOf('r1')) === 'before') {
  const swapping = store.swap('r1');
  if (act === 'swap') setImmediate(sayNow);
  await swapping;
}
if (act === 'undo') {
  const undoing = store.undoSwap('r1');
  setImmediate(sayNow);
  await undoing;
}
sayNow();
clearInterval(alive);
await new Promise((resolve) => setTimeout(resolve, 60_000));
