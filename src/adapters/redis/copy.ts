import type { Argument, Link, Reply } from './connection.ts';
import { held, transact } from './mark.ts';
import { scan } from './server.ts';

/** What one transaction carries, and so what a server holds others up for: keys and bytes. */
const KEYS = 256;
const BYTES = 4 * 1024 * 1024;

interface Item {
  readonly key: Buffer;
  /** As DUMP gives it, with its own checksum. */
  readonly value: Buffer;
  /** Milliseconds since the epoch; 0: it stays. */
  readonly expires: number;
}

/**
 * Copies every key of one database into another server's, with its time to live, a bounded piece after the other. Each
 * piece is a transaction that is refused once another hand has taken the database.
 */
export async function copyKeys(from: Link, to: Link, hand: string, onCopied: (keys: number) => void): Promise<void> {
  let copied = 0;
  for await (const keys of scan(from, KEYS)) {
    for (const piece of await pieces(from, keys)) {
      const items = await read(from, piece);
      if (items.length === 0) continue;
      await transact(to, (mark) => {
        held(mark, hand);
        return items.map(restore);
      });
      copied += items.length;
      onCopied(copied);
    }
  }
}

/** Groups of keys whose values are small together; a large one stands alone. */
async function pieces(from: Link, keys: readonly Buffer[]): Promise<readonly (readonly Buffer[])[]> {
  const sizes = await from.pipeline(keys.map((key) => ['MEMORY', 'USAGE', key]));
  const groups: Buffer[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const [at, key] of keys.entries()) {
    const size = Number(sizes[at] ?? 0);
    if (bytes + size > BYTES) {
      groups.push([]);
      bytes = 0;
    }
    groups.at(-1)?.push(key);
    bytes += size;
  }
  return groups;
}

async function read(from: Link, keys: readonly Buffer[]): Promise<readonly Item[]> {
  const answers = await from.pipeline(keys.flatMap((key) => [['DUMP', key] as const, ['PEXPIRETIME', key] as const]));
  return keys.flatMap((key, at) => {
    const [value, expires] = [answers[2 * at], answers[2 * at + 1]] as const;
    for (const answer of [value, expires]) if (answer instanceof Error) throw answer;
    // Expired while it was read.
    if (!Buffer.isBuffer(value)) return [];
    return [{ key, value, expires: lifeOf(expires) }];
  });
}

function lifeOf(answer: Reply | undefined): number {
  return typeof answer === 'number' && answer > 0 ? answer : 0;
}

function restore({ key, value, expires }: Item): readonly Argument[] {
  return ['RESTORE', key, String(expires), value, 'REPLACE', ...(expires === 0 ? [] : ['ABSTTL'])];
}
