export { addressOf } from './address.ts';
export { createPostgresJournal, type PostgresJournalOptions, postgresJournalName } from './journal-store.ts';
