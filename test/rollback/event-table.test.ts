import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { eventTables } from '../../src/rollback/event-table.ts';

test('docs/events.md lists every event and field, as the table in the source has them', async () => {
  const page = await readFile(new URL('../../docs/events.md', import.meta.url), 'utf8');
  const tables = page.slice(page.indexOf('| field | meaning |')).trimEnd();
  expect(tables).toBe(eventTables());
});
