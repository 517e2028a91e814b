import { access, chmod, chown, constants, open, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { isAbsolute, join, resolve } from 'node:path';
import { BackstayError } from '../../errors/index.ts';
import type { Neo4jServer } from '../../model/index.ts';
import { folderFiles } from './files.ts';
import { type Grounds, groundsIn } from './folders.ts';
import type { Place } from './place.ts';
import { lastLines, nameOf, runTool, type Variables } from './process.ts';
import { type Pointer, samePointer } from './record.ts';

const SETTING = 'initial.dbms.default_database';
/** Begins the line with what runs have put beside; a comment to Neo4j, and moved by the same rename as its setting. */
const RECORD = '# backstay: ';

/** Settings without which its programs would not find, or not read, a database. */
const NEEDED = /^\s*(server\.directories\.transaction\.logs\.root|db\.format|internal\.db\.[\w.]+)\s*=/;

export interface LocalOptions {
  readonly server: Extract<Neo4jServer, { readonly kind: 'local' }>;
  /** Name of the database while the configuration names none. */
  readonly database: string;
  readonly env: Variables;
  readonly limitMs: number;
}

/** A server of this machine, whose neo4j.conf says what it serves. */
export function createLocalPlace({ server, database, env, limitMs }: LocalOptions): Place {
  const conf = server.conf ?? join(server.home, 'conf');
  const file = join(conf, 'neo4j.conf');
  const folder = async (): Promise<Grounds> => groundsFrom(await readFile(file, 'utf8'), server.home);
  const variables = { ...env, NEO4J_HOME: server.home, NEO4J_CONF: conf };
  const command = async (words: readonly string[], signal?: AbortSignal): Promise<void> => {
    const { exitCode, said } = await runTool(words, {
      env: variables,
      limitMs,
      detaches: true,
      ...(signal === undefined ? {} : { signal }),
    });
    if (exitCode !== 0)
      throw new BackstayError('STORE_FAILED', `${nameOf(words)}: ${lastLines(said) || `exit code ${exitCode}`}`);
  };
  return {
    folder,
    withFiles: async (work) => await work(folderFiles(await folder())),
    look: async () => pointerFrom(await readFile(file, 'utf8'), database),
    point: async (to, from) => {
      const text = await readFile(file, 'utf8');
      if (!samePointer(pointerFrom(text, database), from))
        throw new BackstayError('STORE_FENCED', `${file} was written by somebody else meanwhile`);
      await replaceWhole(file, pointedTo(text, to));
    },
    stop: async (signal) => await command(server.stop, signal),
    start: async (signal) => await command(server.start, signal),
    obstacles: async () => {
      const grounds = await folder().catch(() => undefined);
      const folders = grounds === undefined ? [] : [grounds.databases, grounds.transactions];
      const all = await Promise.all([file, conf, ...folders].map(async (path) => await inTheWay(path)));
      return all.filter((one) => one !== undefined);
    },
  };
}

/** What a configuration says of its server's databases. Exported for its test. */
export function pointerFrom(text: string, database: string): Pointer {
  const lines = text.split('\n');
  const record = lines.find((line) => line.startsWith(RECORD));
  const known =
    record === undefined ? { runs: {} } : (JSON.parse(record.slice(RECORD.length)) as Omit<Pointer, 'live'>);
  return { live: settingIn(lines, SETTING) ?? database, ...known };
}

/** The same configuration for another pointer: everything else in it stays as it is. */
export function pointedTo(text: string, { live, ...record }: Pointer): string {
  const kept = text.split('\n').filter((line) => !line.startsWith(RECORD) && !isSetting(line, SETTING));
  while (kept.at(-1) === '') kept.pop();
  const isEmpty = record.holder === undefined && Object.keys(record.runs).length === 0;
  const lines = [`${SETTING}=${live}`, ...(isEmpty ? [] : [`${RECORD}${JSON.stringify(record)}`])];
  return `${[...kept, ...lines].join('\n')}\n`;
}

function groundsFrom(text: string, home: string): Grounds {
  const lines = text.split('\n');
  const given = settingIn(lines, 'server.directories.data') ?? 'data';
  const data = resolve(home, given);
  const root = settingIn(lines, 'server.directories.transaction.logs.root');
  const grounds = groundsIn(
    data,
    lines.filter((line) => NEEDED.test(line)).map((line) => line.trim()),
  );
  if (root === undefined) return grounds;
  return { ...grounds, transactions: isAbsolute(root) ? root : resolve(data, root) };
}

function settingIn(lines: readonly string[], name: string): string | undefined {
  const line = lines.findLast((one) => isSetting(one, name));
  return line?.slice(line.indexOf('=') + 1).trim();
}

function isSetting(line: string, name: string): boolean {
  const at = line.indexOf('=');
  return at > 0 && line.slice(0, at).trim() === name;
}

/** Whole or not at all, and its owner's as before. */
async function replaceWhole(file: string, text: string): Promise<void> {
  const { mode, uid, gid } = await stat(file);
  const partial = `${file}.partial`;
  await writeFile(partial, text);
  await chmod(partial, mode & 0o777);
  if (process.getuid?.() === 0) await chown(partial, uid, gid);
  const handle = await open(partial, 'r');
  await handle.sync();
  await handle.close();
  await rename(partial, file);
}

async function inTheWay(path: string): Promise<string | undefined> {
  return await access(path, constants.R_OK | constants.W_OK).then(
    () => undefined,
    () => `${path} is not there, or may not be written`,
  );
}
