import { type Digest, isDigest } from '../../../model/index.ts';
import type { IndexEntry, SnapshotFiles } from '../../../snapshots/index.ts';
import { batched } from './batched.ts';

type Row = Readonly<Record<string, unknown>>;

/** One statement, tried again where a connection broke: each of them may be done twice. */
export type Query = (text: string, values: readonly unknown[]) => Promise<readonly Row[]>;

const READ = 'SELECT digest, bytes FROM backstay_snapshots.files WHERE stack = $1 AND digest = ANY($2)';
const SIZE =
  'SELECT digest, octet_length(bytes) AS size FROM backstay_snapshots.files WHERE stack = $1 AND digest = ANY($2)';
const WRITE = `
  INSERT INTO backstay_snapshots.files (stack, digest, bytes) VALUES ($1, $2, $3)
  ON CONFLICT (stack, digest) DO UPDATE SET bytes = excluded.bytes, at = excluded.at`;
const REMOVE = 'DELETE FROM backstay_snapshots.files WHERE stack = $1 AND digest = $2';
const LIST = 'SELECT digest FROM backstay_snapshots.files WHERE stack = $1';
const INDEX = 'SELECT record, id, secrets, signatures FROM backstay_snapshots.records WHERE stack = $1';
const ENTER = `
  INSERT INTO backstay_snapshots.records (stack, record, id, secrets, signatures) VALUES ($1, $2, $3, $4, $5)
  ON CONFLICT (stack, record) DO UPDATE
    SET id = excluded.id, secrets = excluded.secrets, signatures = excluded.signatures`;

/** The files of one stack as rows, each committed before its write returns. `where` names the database for people. */
export function createTable(stack: string, where: string, query: Query): SnapshotFiles {
  const read = batched(async (digests: readonly Digest[]) => {
    const rows = await query(READ, [stack, digests]);
    return new Map(rows.map((row) => [row['digest'] as Digest, row['bytes'] as Buffer]));
  });
  const size = batched(async (digests: readonly Digest[]) => {
    const rows = await query(SIZE, [stack, digests]);
    return new Map(rows.map((row) => [row['digest'] as Digest, Number(row['size'])]));
  });
  return {
    path: (digest) => `${where}#${stack}/${digest.slice('sha256:'.length)}`,
    read,
    size,
    write: async (digest, bytes) => {
      await query(WRITE, [stack, digest, Buffer.from(bytes)]);
    },
    remove: async (digest) => {
      await query(REMOVE, [stack, digest]);
    },
    list: async () =>
      (await query(LIST, [stack])).map((row) => String(row['digest'])).filter((digest) => isDigest(digest)),
    index: async () => {
      const rows = await query(INDEX, [stack]);
      return { entries: rows.flatMap(entryOf), others: [], damaged: [] };
    },
    enter: async ({ record, id, secrets, signatures }) => {
      await query(ENTER, [stack, record, id, secrets ?? null, signatures]);
    },
    // A transaction that dies leaves nothing.
    sweep: async () => undefined,
  };
}

/** A row that somebody else wrote is none: what it would name is looked up in the files. */
function entryOf(row: Row): readonly IndexEntry[] {
  const { record, id, secrets, signatures } = row;
  const named = [record, id, ...(secrets === null ? [] : [secrets]), ...(signatures as readonly unknown[])];
  if (!named.every((digest): digest is Digest => typeof digest === 'string' && isDigest(digest))) return [];
  return [
    {
      record: record as Digest,
      id: id as Digest,
      ...(secrets === null ? {} : { secrets: secrets as Digest }),
      signatures: signatures as readonly Digest[],
    },
  ];
}
