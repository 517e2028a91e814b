import { journalStoreContract } from '../contracts/journal-store.ts';
import { memoryJournal } from './memory-journal.ts';

journalStoreContract('in memory', async () => memoryJournal());
