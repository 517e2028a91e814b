export type { SqliteOptions } from './database.ts';
export { createSqliteJournal } from './journal-store.ts';
export { createSqliteRecords } from './records.ts';
