import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { type Account, canReach } from './account.ts';
import type { Binaries } from './binaries.ts';

/** Beside the data folder that was asked for: where the data really is. */
const POINTER = '.data-is-elsewhere';
/** In the folder where the data really is: which data folder it stands for. */
const HOME = 'stands-for';

export interface PlaceOptions {
  readonly temporary?: string;
  readonly reachable?: (path: string, account: Account) => boolean;
}

/**
 * The folder for the data, owned by the account. A sandbox made by root lies where nobody else can reach it (`/root`, a
 * folder of mode 0700); the data then goes to a folder of its own in the temporary directory, and a pointer stays
 * behind. Such folders whose pointer is gone are removed.
 */
export function placeData(
  wanted: string,
  account: Account | undefined,
  { temporary = tmpdir(), reachable = canReach }: PlaceOptions = {},
): string {
  mkdirSync(wanted, { recursive: true, mode: 0o700 });
  if (account === undefined) return wanted;
  const pointer = join(wanted, POINTER);
  if (!existsSync(pointer) && reachable(wanted, account)) {
    own(wanted, account);
    return wanted;
  }
  sweep(temporary);
  const known = existsSync(pointer) ? readFileSync(pointer, 'utf8') : undefined;
  if (known !== undefined && standsFor(known) === wanted) return join(known, 'data');
  const elsewhere = mkdtempSync(join(temporary, 'backstay-postgres-'));
  chmodSync(elsewhere, 0o711);
  // In this order: a folder that stands for nothing yet is not swept away by another pod.
  writeFileSync(pointer, elsewhere);
  writeFileSync(join(elsewhere, HOME), wanted);
  const data = join(elsewhere, 'data');
  mkdirSync(data, { mode: 0o700 });
  own(data, account);
  return data;
}

function own(dir: string, { uid, gid }: Account): void {
  chownSync(dir, uid, gid);
  chmodSync(dir, 0o700);
}

function standsFor(elsewhere: string): string | undefined {
  const file = join(elsewhere, HOME);
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}

/** Removes folders of ours that no data folder points to any more. Links are left alone: they were not made here. */
function sweep(temporary: string): void {
  for (const name of readdirSync(temporary).filter((each) => each.startsWith('backstay-postgres-'))) {
    const elsewhere = join(temporary, name);
    try {
      if (!isUsed(elsewhere)) rmSync(elsewhere, { recursive: true, force: true });
    } catch (error) {
      // Its own server ended meanwhile and took it along.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
}

function isUsed(elsewhere: string): boolean {
  const stat = lstatSync(elsewhere);
  if (!stat.isDirectory() || stat.uid !== process.getuid?.()) return true;
  const home = standsFor(elsewhere);
  if (home === undefined) return true;
  const pointer = join(home, POINTER);
  return existsSync(pointer) && readFileSync(pointer, 'utf8') === elsewhere;
}

/** The folder of the binaries, or a copy of them where the account can reach it. */
export function placeBinaries({ bin, version }: Binaries, account: Account | undefined, temporary = tmpdir()): string {
  if (account === undefined || canReach(join(bin, 'postgres'), account)) return bin;
  const copy = join(temporary, `backstay-pgsql-${version}-${process.getuid?.() ?? 0}`);
  if (existsSync(join(copy, 'bin', 'postgres')) && lstatSync(copy).uid === process.getuid?.()) return join(copy, 'bin');
  const partial = mkdtempSync(join(temporary, 'backstay-pgsql-partial-'));
  copyTree(realpathSync(dirname(bin)), partial);
  chmodSync(partial, 0o755);
  try {
    renameSync(partial, copy);
  } catch {
    // Another pod was first.
    rmSync(partial, { recursive: true, force: true });
  }
  return join(copy, 'bin');
}

/**
 * Copies a folder with its links, which all stay inside it. Node's own recursive copy makes them absolute, into the very
 * folder that cannot be reached.
 */
function copyTree(from: string, to: string): void {
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isSymbolicLink()) symlinkSync(relative(from, realpathSync(source)), target);
    else if (entry.isDirectory()) {
      mkdirSync(target);
      copyTree(source, target);
    } else copyFileSync(source, target);
  }
}
