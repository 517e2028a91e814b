import { createHash } from 'node:crypto';
import type { Digest } from '../../model/index.ts';
import { type Link, listOf, type Reply, textOf } from './connection.ts';
import { scan } from './server.ts';
import { MARK } from './mark.ts';

/** Keys that are compared by value; a database with no more of them is compared whole. */
const SAMPLE = 5_000;
/** Values that are asked for at once. */
const AT_ONCE = 100;
/** Elements of one value that are read; of longer ones the length and both ends. */
const LONGEST = 5_000;
/** Bytes of one string that are read at each end, when it is longer than both. */
const LONGEST_TEXT = 64 * 1024;

export interface Contents {
  readonly digest: Digest;
  readonly sampled: boolean;
}

/**
 * Digest of keys and values that stay, those with a time to live left out: they go by themselves. Of a larger database
 * the keys whose own digests are the smallest, which are the same wherever the same keys are; memory stays flat.
 */
export async function contentsOf(link: Link): Promise<Contents> {
  const { keys, all } = await smallestKeys(link);
  const hash = createHash('sha256');
  let isPart = false;
  for (let at = 0; at < keys.length; at += AT_ONCE) {
    const some = keys.slice(at, at + AT_ONCE);
    const values = await Promise.all(some.map(async (key) => ({ key, ...(await valueOf(link, key)) })));
    for (const { key, digest, whole } of values) {
      isPart ||= !whole;
      hash.update(sized(key)).update(digest);
    }
  }
  return { digest: `sha256:${hash.digest('hex')}`, sampled: isPart || all > keys.length };
}

/** In the order of their digests. */
async function smallestKeys(link: Link): Promise<{ readonly keys: readonly Buffer[]; readonly all: number }> {
  let kept = new Map<string, Buffer>();
  let largest = '';
  let all = 0;
  for await (const batch of scan(link)) {
    const lives = await link.pipeline(batch.map((key) => ['PTTL', key]));
    for (const [at, key] of batch.entries()) {
      if (lives[at] !== -1 || key.equals(MARK)) continue;
      all += 1;
      const rank = createHash('sha256').update(key).digest('hex');
      if (largest !== '' && rank > largest) continue;
      kept.set(rank, key);
    }
    if (kept.size > SAMPLE) {
      kept = new Map([...kept].sort(([a], [b]) => (a < b ? -1 : 1)).slice(0, SAMPLE));
      largest = [...kept.keys()].at(-1) ?? '';
    }
  }
  return { keys: [...kept].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, key]) => key), all };
}

interface Value {
  readonly digest: Buffer;
  /** False: its length and its ends alone. */
  readonly whole: boolean;
}

async function valueOf(link: Link, key: Buffer): Promise<Value> {
  const type = textOf(await link.send('TYPE', key));
  const read = READERS[type];
  const { parts, whole } = read === undefined ? { parts: [], whole: false } : await read(link, key);
  const hash = createHash('sha256').update(type);
  for (const part of parts) hash.update(sized(part));
  return { digest: hash.digest(), whole };
}

interface Read {
  readonly parts: readonly Buffer[];
  readonly whole: boolean;
}

type Reader = (link: Link, key: Buffer) => Promise<Read>;

const READERS: Readonly<Record<string, Reader>> = {
  string: async (link, key) => {
    const length = Number(await link.send('STRLEN', key));
    if (length <= 2 * LONGEST_TEXT) return whole(flat(await link.send('GET', key)));
    const ends = await link.pipeline([
      ['GETRANGE', key, '0', String(LONGEST_TEXT - 1)],
      ['GETRANGE', key, String(-LONGEST_TEXT), '-1'],
    ]);
    return ofEnds(length, ends);
  },
  list: async (link, key) => {
    const length = Number(await link.send('LLEN', key));
    if (length <= LONGEST) return whole(flat(await link.send('LRANGE', key, '0', '-1')));
    const half = LONGEST / 2;
    return ofEnds(length, [
      await link.send('LRANGE', key, '0', String(half - 1)),
      await link.send('LRANGE', key, String(-half), '-1'),
    ]);
  },
  // Their order is the server's own affair; what is read of longer ones would be another part of them each time.
  set: async (link, key) => {
    const length = Number(await link.send('SCARD', key));
    return length <= LONGEST ? whole(sorted(flat(await link.send('SMEMBERS', key)))) : ofEnds(length, []);
  },
  hash: async (link, key) => {
    const length = Number(await link.send('HLEN', key));
    if (length > LONGEST) return ofEnds(length, []);
    const fields = flat(await link.send('HGETALL', key));
    const pairs = fields.flatMap((field, at) =>
      at % 2 === 0 ? [Buffer.concat([sized(field), fields[at + 1] ?? NOTHING])] : [],
    );
    return whole(sorted(pairs));
  },
  zset: async (link, key) => {
    const length = Number(await link.send('ZCARD', key));
    if (length <= LONGEST) return whole(flat(await link.send('ZRANGE', key, '0', '-1', 'WITHSCORES')));
    const half = LONGEST / 2;
    return ofEnds(length, [
      await link.send('ZRANGE', key, '0', String(half - 1), 'WITHSCORES'),
      await link.send('ZRANGE', key, String(-half), '-1', 'WITHSCORES'),
    ]);
  },
  stream: async (link, key) => {
    const length = Number(await link.send('XLEN', key));
    const groups = listOf(await link.send('XINFO', 'GROUPS', key)).map(groupOf);
    const half = String(LONGEST / 2);
    const entries =
      length <= LONGEST
        ? [await link.send('XRANGE', key, '-', '+')]
        : [
            await link.send('XRANGE', key, '-', '+', 'COUNT', half),
            await link.send('XREVRANGE', key, '+', '-', 'COUNT', half),
          ];
    const { parts } = ofEnds(length, entries);
    return { parts: [...parts, ...sorted(groups)], whole: length <= LONGEST };
  },
};

const NOTHING = Buffer.alloc(0);

/** Name and how far it has read: what else is told of a consumer group depends on when it is asked. */
function groupOf(group: Reply): Buffer {
  const fields = listOf(group).map((field) => (Buffer.isBuffer(field) ? field : Buffer.from(String(field))));
  const after = (name: string): Buffer => fields[fields.findIndex((field) => field.toString() === name) + 1] ?? NOTHING;
  return Buffer.concat([sized(after('name')), after('last-delivered-id')]);
}

function whole(parts: readonly Buffer[]): Read {
  return { parts, whole: true };
}

function ofEnds(length: number, ends: readonly Reply[]): Read {
  return { parts: [Buffer.from(String(length)), ...ends.flatMap(flat)], whole: false };
}

/** Nested answers, one after the other. */
function flat(reply: Reply | undefined): readonly Buffer[] {
  if (Buffer.isBuffer(reply)) return [reply];
  if (Array.isArray(reply)) return (reply as readonly Reply[]).flatMap(flat);
  return [Buffer.from(String(reply))];
}

function sorted(parts: readonly Buffer[]): readonly Buffer[] {
  return [...parts].sort((a, b) => a.compare(b));
}

/** With its length before it, so that no two lists of parts look alike. */
function sized(part: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(part.length);
  return Buffer.concat([length, part]);
}
