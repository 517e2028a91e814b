export { createPostgresJournal, type PostgresJournalOptions, postgresJournalName } from './journal-store.ts';
export { createPostgresRecords } from './records.ts';
