import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/** Who PostgreSQL runs as. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/**
 * PostgreSQL refuses to run as root, and rightly: as root its processes become `postgres`, or `nobody` where there is
 * no such user. Undefined: this process is not root and stays who it is.
 */
export function accountFor(uid: number, passwd = readPasswd()): Account | undefined {
  if (uid !== 0) return undefined;
  for (const wanted of ['postgres', 'nobody']) {
    const [, , id, group] =
      passwd
        .split('\n')
        .map((line) => line.split(':'))
        .find(([name]) => name === wanted) ?? [];
    if (id !== undefined && group !== undefined && Number(id) > 0) return { uid: Number(id), gid: Number(group) };
  }
  return { uid: 65_534, gid: 65_534 };
}

function readPasswd(): string {
  return existsSync('/etc/passwd') ? readFileSync('/etc/passwd', 'utf8') : '';
}

/** Whether the account may pass through every folder on the way to a path. */
export function canReach(path: string, { uid, gid }: Account): boolean {
  for (let dir = dirname(path); ; dir = dirname(dir)) {
    if (existsSync(dir)) {
      const stat = statSync(dir);
      const bit = stat.uid === uid ? 0o100 : stat.gid === gid ? 0o010 : 0o001;
      if ((stat.mode & bit) === 0) return false;
    }
    if (dir === dirname(dir)) return true;
  }
}
