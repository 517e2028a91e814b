/** What differs between the releases of Keiko. */
export interface Release {
  /** Of the tokens that auth-service gives out: `k1.NAME`. */
  readonly token: string;
  /** Those that the other services take. */
  readonly takes: readonly string[];
  /** The index that chat-service asks for. */
  readonly asks: string;
  /** What search-service finds documents by. */
  readonly indexes: Readonly<Record<string, readonly string[]>>;
}

const DOCUMENTS = ['handbook', 'rollback plan', 'seating plan'];

/** v1.3.0 gives out tokens of a new kind, and asks an index that nobody filled. */
const RELEASES: Readonly<Record<string, Release>> = {
  'v1.2.0': { token: 'k1', takes: ['k1'], asks: 'documents-v1', indexes: { 'documents-v1': DOCUMENTS } },
  'v1.3.0': { token: 'k2', takes: ['k1', 'k2'], asks: 'documents-v2', indexes: { 'documents-v2': [] } },
};

/** @throws TypeError for a tag that is none of them */
export function releaseOf(tag: string): Release {
  const release = RELEASES[tag];
  if (release === undefined) throw new TypeError(`keiko has no release ${tag}`);
  return release;
}
