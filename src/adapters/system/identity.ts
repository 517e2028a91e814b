import { hostname, userInfo } from 'node:os';

/** Who runs this, for journals, leases and records. A user without an entry in the password file is named by number. */
export function whoAmI(): { readonly user: string; readonly host: string } {
  return { user: userName(), host: hostname() };
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid-${process.getuid?.() ?? 'unknown'}`;
  }
}
