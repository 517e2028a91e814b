import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findFlyway } from '../../../src/toolchain/flyway.ts';
import { describeMigrations } from '../../contracts/migrations.ts';

const NAMES = ['V1__documents', 'V2__notes', 'V3__tags'] as const;
const LOCATIONS = '-locations=filesystem:sql';

describeMigrations({
  tool: 'flyway',
  ids: ['1', '2', '3'],
  setting: async (folder) => ({ command: [await findFlyway(), LOCATIONS], undo: join(folder, 'undo') }),
  apply: async (server, database, cwd) => {
    await promisify(execFile)(await findFlyway(), [LOCATIONS, 'migrate'], {
      cwd,
      env: {
        PATH: process.env['PATH'],
        FLYWAY_URL: `jdbc:postgresql://127.0.0.1:${server.port}/${database}`,
        FLYWAY_USER: server.user,
        FLYWAY_PASSWORD: server.password,
      },
    });
  },
  spoil: async (folder, at, statement) => {
    const file = join(folder, 'undo', `${NAMES[at - 1] ?? ''}.down.sql`);
    const text = await readFile(file, 'utf8');
    await writeFile(
      file,
      text.includes('BEGIN;') ? text.replace('BEGIN;', `BEGIN;\n${statement};`) : `${statement};\n${text}`,
    );
  },
  leaves: 'second',
  says: 'V3__tags.down.sql: done',
});
