export { createSqliteJournal, type SqliteJournalOptions } from './journal-store.ts';
