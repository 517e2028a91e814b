import { z } from 'zod';
import type { ArchiveSetting } from '../../model/index.ts';
import { text } from '../fields.ts';
import type { Place } from './common.ts';

const command = z.array(text, { error: 'a list: program and arguments' }).min(1);

export const archive = z
  .strictObject(
    {
      base: text
        .exactOptional()
        .describe('Folder of base backups, each in a folder of its own (pg_basebackup, plain).'),
      baseCommand: command
        .exactOptional()
        .describe('Instead: program that puts a base backup into the empty folder %d; %t is the time that is wanted.'),
      wal: text.exactOptional().describe('Folder of the archived write-ahead log.'),
      restoreCommand: command
        .exactOptional()
        .describe('Instead: program that puts the file %f of the log to the path %p.'),
      scratch: text.exactOptional().describe('Folder in which copies are recovered. Default: that of temporary files.'),
    },
    { error: '{base or baseCommand, wal or restoreCommand, scratch?}' },
  )
  .refine((raw) => (raw.base === undefined) !== (raw.baseCommand === undefined), {
    error: 'either base or baseCommand',
  })
  .refine((raw) => (raw.wal === undefined) !== (raw.restoreCommand === undefined), {
    error: 'either wal or restoreCommand',
  })
  .describe('Base backups and write-ahead log, by which any moment of the past can be had.');

export function toArchive(raw: z.output<typeof archive>, place: Place): ArchiveSetting {
  const from = (folder: string | undefined, program: readonly string[] = []): ArchiveSetting['wal'] =>
    folder === undefined ? { kind: 'command', command: program } : { kind: 'folder', folder: place.path(folder) };
  return {
    base: from(raw.base, raw.baseCommand),
    wal: from(raw.wal, raw.restoreCommand),
    ...(raw.scratch === undefined ? {} : { scratch: place.path(raw.scratch) }),
  };
}
