import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findAlembic } from '../../../src/toolchain/alembic.ts';
import { describeMigrations } from '../../contracts/migrations.ts';
import { migrationsLike } from '../../support/migrations/index.ts';
import type { SettingLike } from '../../support/migrations/index.ts';

const SCRIPTS = { 1: '1_documents.py', 2: '2_notes.py', 3: '3_tags.py' } as const;
const IDS = ['a1d0c5000001', 'b2d0c5000002', 'c3d0c5000003'] as const;

const setting = async (): Promise<Omit<SettingLike, 'tool'>> => ({
  command: [await findAlembic()],
  urlScheme: 'postgresql+psycopg',
});

describeMigrations({
  tool: 'alembic',
  ids: IDS,
  setting,
  apply: async (server, database, folder) => {
    const migrations = migrationsLike({ setting: { tool: 'alembic', ...(await setting()) }, database, server, folder });
    await migrations.migrate(await migrations.wayTo(IDS[2]));
  },
  spoil: async (folder, at, statement) => {
    const file = join(folder, 'versions', SCRIPTS[at]);
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replace(/(def downgrade\(\):\n)/, `$1    op.execute("${statement}")\n`));
  },
  leaves: 'third',
  says: '[hidden]',
});
