import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse, stringify } from 'yaml';
import type { Stack } from '../../model/index.ts';

/** What of a stack file belongs to Pulumi's encryption; everything else in it is ours and not copied. */
const ENCRYPTION = ['secretsprovider', 'encryptedkey', 'encryptionsalt'] as const;

export interface Workspace {
  /** Private folder (0700) that the CLI works in; removed by `remove`. */
  readonly dir: string;
  remove(): Promise<void>;
}

/**
 * A folder for one run of the CLI, so that no run writes into the project: the project's name, its backend, and the stack's
 * encryption settings as its file has them.
 */
export async function makeWorkspace(stack: Stack, projectName: string, stateDir: string): Promise<Workspace> {
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  const { backend } = stack.engine;
  if (backend.startsWith('file://')) await mkdir(folderOf(backend), { recursive: true, mode: 0o700 });
  await sweep(stateDir);
  const dir = await mkdtemp(join(stateDir, `run-${process.pid}-`));
  await Promise.all([
    writeFile(join(dir, 'Pulumi.yaml'), stringify({ name: projectName, runtime: 'nodejs', backend: { url: backend } })),
    writeFile(join(dir, `Pulumi.${stack.name}.yaml`), stringify(await encryptionOf(stack))),
  ]);
  return { dir, remove: () => rm(dir, { recursive: true, force: true }) };
}

/** Removes what killed processes left. One whose number is in use again goes with a later sweep. */
async function sweep(stateDir: string): Promise<void> {
  const left = (await readdir(stateDir)).filter((name) => !isRunning(Number(/^run-(\d+)-/.exec(name)?.[1])));
  await Promise.all(left.map(async (name) => await rm(join(stateDir, name), { recursive: true, force: true })));
}

function isRunning(pid: number): boolean {
  // What is not named as ours are named is left alone.
  if (Number.isNaN(pid)) return true;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function folderOf(backend: string): string {
  return backend.startsWith('file:///') ? fileURLToPath(backend) : backend.slice('file://'.length);
}

async function encryptionOf(stack: Stack): Promise<Readonly<Record<string, unknown>>> {
  const text = await readFile(stack.file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  const all = (parse(text) ?? {}) as Readonly<Record<string, unknown>>;
  const { secretsProvider } = stack.engine;
  const chosen =
    secretsProvider === 'passphrase' || secretsProvider === 'default' ? {} : { secretsprovider: secretsProvider };
  return {
    ...chosen,
    ...Object.fromEntries(ENCRYPTION.flatMap((name) => (all[name] === undefined ? [] : [[name, all[name]]]))),
  };
}
