export { createPostgresJournal, type PostgresJournalOptions, postgresJournalName } from './journal-store.ts';
