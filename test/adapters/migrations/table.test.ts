import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describeMigrations } from '../../contracts/migrations.ts';

const IDS = ['0001_documents', '0002_notes', '0003_tags'] as const;

describeMigrations({
  tool: 'table',
  ids: IDS,
  setting: async () => await Promise.resolve({}),
  apply: async (server, database, folder) => {
    await server.run(database, 'CREATE TABLE schema_migrations (version varchar(255) PRIMARY KEY)');
    for (const id of IDS) {
      await server.run(database, await readFile(join(folder, `${id}.up.sql`), 'utf8'));
      await server.run(database, `INSERT INTO schema_migrations VALUES ('${id.slice(0, 4)}')`);
    }
  },
  spoil: async (folder, at, statement) => {
    const file = join(folder, `${IDS[at - 1] ?? ''}.down.sql`);
    // Before all that is there, and so within what it says itself to be one transaction.
    const text = await readFile(file, 'utf8');
    await writeFile(
      file,
      text.includes('BEGIN;') ? text.replace('BEGIN;', `BEGIN;\n${statement};`) : `${statement};\n${text}`,
    );
  },
  leaves: 'second',
  says: '0003_tags.down.sql: done',
});
