import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describeMigrations } from '../../contracts/migrations.ts';

const NAMES = ['first', 'second', 'third'] as const;

describeMigrations({
  tool: 'command',
  ids: NAMES,
  setting: async (folder) => await Promise.resolve({ command: [process.execPath, join(folder, 'migrate.mjs')] }),
  apply: async (server, database) => {
    await server.run(
      database,
      'CREATE TABLE documents (id integer PRIMARY KEY, title varchar(80) NOT NULL, note text)',
      'CREATE TABLE tags (name varchar(40) PRIMARY KEY)',
      'CREATE TABLE own_revisions (step integer PRIMARY KEY)',
      'INSERT INTO own_revisions VALUES (1), (2), (3)',
    );
  },
  spoil: async (folder, at, statement) => {
    const file = join(folder, 'own', `${NAMES[at - 1] ?? ''}.down.sql`);
    await writeFile(file, `${statement};\n${await readFile(file, 'utf8')}`);
  },
  leaves: 'second',
  says: '[hidden]',
});
