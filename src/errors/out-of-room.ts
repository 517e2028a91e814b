/**
 * What the system, PostgreSQL (53100), Java and their tools call a full volume; redis-cli, to which the last piece that went in
 * was a success, calls it a short write. A limit on a file's size is none.
 */
const CODES = new Set(['ENOSPC', 'EDQUOT', '53100']);
const WORDS = /\bENOSPC\b|\bEDQUOT\b|No space left on device|Disk quota exceeded|to file: short write/;

/** Whether an error tells of a full volume, itself or in what caused it. Whose volume that is it seldom says. */
export function isOutOfRoom(error: unknown): boolean {
  const seen = new Set<unknown>();
  for (let one = error; one instanceof Error && !seen.has(one); one = one.cause) {
    seen.add(one);
    if (CODES.has(String((one as { readonly code?: unknown }).code)) || WORDS.test(one.message)) return true;
  }
  return false;
}
