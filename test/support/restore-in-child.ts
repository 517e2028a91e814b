/** A process of its own that restores beside, to be killed: `ROOT PORT BACKUP RUN`, the password in RESTORE_PASSWORD. */
import { postgresStore } from './postgres-store.ts';
import { createSystemClock } from '../../src/adapters/system/index.ts';

const [root = '', port = '', backup = '', run = ''] = process.argv.slice(2);
const connection = {
  host: '127.0.0.1',
  port: Number(port),
  user: 'ada',
  database: 'app',
  sslmode: 'disable',
} as const;
const store = postgresStore({
  stack: 'shop',
  setting: { name: 'main', kind: 'postgres', connection, tables: [], writers: [] },
  access: async () => ({ connection, password: process.env['RESTORE_PASSWORD'] }),
  root,
  clock: createSystemClock(),
  env: process.env,
});
await store.restoreBeside(await store.find(backup), run);
