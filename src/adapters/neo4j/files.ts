import { BackstayError } from '../../errors/index.ts';
import { type AdminOptions, dump, type Dumped, faultOf, load } from './admin.ts';
import type { Ask } from './bolt.ts';
import { adopt, copyDatabase, databasesIn, type Grounds, removeDatabase } from './folders.ts';
import { withScratch } from './scratch.ts';

/** The files of a server's databases, wherever they lie. None of these acts goes over what the server serves. */
export interface Files {
  /** Whether there is a database of this name, whole or not. */
  has(database: string): Promise<boolean>;
  /** Removes a database that nobody serves. Gives whether there was any. */
  remove(database: string): Promise<boolean>;
  /** Of a server that is stopped: writes `<folder>/<database>.dump` on this machine. */
  dump(admin: AdminOptions, database: string, folder: string): Promise<Dumped>;
  /** Loads a dump of this machine under a name that nobody uses. What a load that fails leaves is the caller's to remove. */
  load(admin: AdminOptions, file: string, database: string): Promise<void>;
  /** What is not as Neo4j writes it, in its own words; undefined: it is consistent. */
  fault(admin: AdminOptions, database: string): Promise<string | undefined>;
  /** Asks a database that nobody serves, by serving a copy of it on this machine. */
  ask<T>(admin: AdminOptions, database: string, work: (ask: Ask) => Promise<T>): Promise<T>;
  /** Folders of this machine in which they lie. */
  readonly folders: readonly string[];
}

/** In a folder of this machine, by Neo4j's programs here. */
export function folderFiles(grounds: Grounds): Files {
  const has = async (database: string): Promise<boolean> => (await databasesIn(grounds)).includes(database);
  return {
    has,
    remove: async (database) => await removeDatabase(grounds, database),
    dump: async (admin, database, folder) => await dump(admin, grounds, database, folder),
    load: async (admin, file, database) => {
      await load(admin, grounds, file, database);
      await adopt(grounds, database);
    },
    fault: async (admin, database) => await faultOf(admin, grounds, database),
    ask: async (admin, database, work) => {
      if (!(await has(database))) throw new BackstayError('STORE_FAILED', `there is no database ${database}`);
      return await withScratch(
        admin,
        database,
        async (scratch) => await copyDatabase(grounds, scratch, database),
        work,
      );
    },
    folders: [grounds.databases],
  };
}
