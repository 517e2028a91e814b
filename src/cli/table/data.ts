import type { CommandSpec } from '../commands.ts';
import { BACKUP_ALL, RESTORE, STACK, STORE, UNDO } from './shared.ts';

/** The data stores of a stack. */
export const DATA_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'db list',
    summary: 'list the data stores of a stack and their backups',
    args: [STACK],
    load: async () => (await import('../commands/db.ts')).list,
  },
  {
    name: 'db backup',
    summary: 'back a data store up, and prove it by restoring it beside the live data',
    args: [STACK, STORE],
    options: [
      ['--no-restore', 'only read it back: enough against damage, not as the way back of a run'],
      ['--at <time>', 'of this moment of the past instead: 2026-01-31T12:00:00Z'],
      ['--restore-point <name>', 'of the moment that pg_create_restore_point gave this name'],
      ['--promote', 'prove a moment of the past also as a server that takes writes'],
      ['--tables <names>', 'only these, with commas: documents,audit.events'],
      ['--all', 'every store at one moment: a run that stops what writes, backs all of them up and goes on'],
      ...BACKUP_ALL,
    ],
    examples: [
      'backstay db backup medical-kg',
      'backstay db backup medical-kg main --no-restore',
      'backstay db backup medical-kg --all --reason "before v2"',
      'backstay db backup medical-kg main --at 2026-01-31T12:00:00Z',
    ],
    load: async () => (await import('../commands/db.ts')).backup,
  },
  {
    name: 'db base',
    summary: 'copy the whole server, so that moments after it can be gone back to',
    args: [STACK, STORE],
    examples: ['backstay db base medical-kg main'],
    load: async () => (await import('../commands/db-past.ts')).base,
  },
  {
    name: 'db verify',
    summary: 'read a backup again, restore it beside the live data, count, and drop that',
    args: [STACK, ['<backup>', 'id of the backup, or latest'], STORE],
    options: [['--no-restore', 'only read it and compare its digest']],
    load: async () => (await import('../commands/db.ts')).verify,
  },
  {
    name: 'db check',
    summary: 'tell whether live data fits together: rows, contents, foreign keys, sequences, pages',
    args: [STACK, ['[store]', 'name of a data store; all of them without one']],
    examples: ['backstay db check medical-kg'],
    load: async () => (await import('../commands/db-check.ts')).check,
  },
  {
    name: 'db migrations',
    summary: 'tell where the schema of a data store stands, what revisions there are, and the way to one of them',
    args: [STACK, ['[store]', 'name of a data store; all that are migrated without one']],
    options: [['--to <revision>', 'show the way there: a revision, -1 for one back, base for before the first']],
    examples: ['backstay db migrations medical-kg', 'backstay db migrations medical-kg main --to -1'],
    load: async () => (await import('../commands/db-migrations.ts')).migrations,
  },
  {
    name: 'db rehearse',
    summary: 'migrate a restored copy of a data store, tell what would be lost, and drop the copy',
    args: [STACK, STORE],
    options: [
      ['--to <revision>', 'where to: a revision as the tool names it, or -1 for one back'],
      ['--backup <id>', 'go from this backup instead of a new one'],
    ],
    examples: ['backstay db rehearse medical-kg --to 3f9a2c'],
    load: async () => (await import('../commands/db-rehearse.ts')).rehearse,
  },
  {
    name: 'db restore',
    summary: 'take a data store back to a backup: restored beside, counted, exchanged at once',
    args: [STACK, ['[backup]', 'id of the backup, or latest; left out with --to-time or --to-restore-point'], STORE],
    options: [
      ['--to-time <time>', 'to this moment of the past: 2026-01-31T12:00:00Z'],
      ['--to-restore-point <name>', 'to the moment that pg_create_restore_point gave this name'],
      ['--tables <names>', 'only the rows of these, with commas; everything else stays as it is'],
      [
        '--preserve-new-data',
        'keep rows that were written since the backup; those that changed are set aside, and told',
      ],
      [
        '--in-place',
        'over the live data, where no second database may be made: what is live then is only in a backup taken right before',
      ],
      ['--no-trial', 'with --in-place: only read that backup again, for there is no room to restore it beside'],
      ['--all', 'every store of the stack: <backup> is the marker that their backups have in common'],
      ...RESTORE,
      [
        '--database-lease',
        'the API server is down: take the lease in the database server, do only what the data needs, ask no check',
      ],
    ],
    examples: [
      'backstay db restore medical-kg latest --reason "v1.3.1 damaged documents"',
      'backstay db restore medical-kg latest --tables documents,chunks --reason "v1.3.1 damaged documents"',
      'backstay db restore medical-kg --to-time 2026-01-31T12:00:00Z main',
    ],
    load: async () => (await import('../commands/db-restore.ts')).restore,
  },
  {
    name: 'db undo',
    summary: 'make the former data live again: the same as `undo`',
    args: [['<run>', 'id of the run']],
    options: UNDO,
    load: async () => (await import('../commands/undo.ts')).undo,
  },
  {
    name: 'db finalize',
    summary: 'drop the data that was set aside: the same as `finalize`',
    args: [['<run>', 'id of the run']],
    options: [
      ['--dry-run', 'show what would be removed'],
      ['-y, --yes', 'do not ask'],
    ],
    load: async () => (await import('../commands/finalize.ts')).finalize,
  },
];
