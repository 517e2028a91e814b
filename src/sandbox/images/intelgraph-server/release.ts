/** Alembic's revisions in their order. */
const REVISIONS = ['0001_entities', '0002_confidence', '0003_labels', '0004_merge_entities'] as const;

/** The newest revision that each release carries. */
const NEWEST: Readonly<Record<string, (typeof REVISIONS)[number]>> = {
  'v4.0.4': '0001_entities',
  'v4.0.5': '0002_confidence',
  'v4.1.0': '0003_labels',
  'v4.1.1': '0004_merge_entities',
};

export interface Release {
  readonly tag: string;
  /** All that this release's image carries, oldest first: of later ones it knows nothing. */
  readonly revisions: readonly string[];
  readonly head: string;
  /** How this release's code calls what an entity is called by. */
  readonly title: 'name' | 'label';
}

/** @throws when there is no such release. */
export function releaseOf(tag = 'v4.0.4'): Release {
  const head = NEWEST[tag];
  if (head === undefined) throw new Error(`there is no release ${tag}; known are ${Object.keys(NEWEST).join(', ')}`);
  const revisions = REVISIONS.slice(0, REVISIONS.indexOf(head) + 1);
  return { tag, revisions, head, title: tag < 'v4.1.0' ? 'name' : 'label' };
}
