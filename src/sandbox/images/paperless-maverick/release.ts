import { fileURLToPath } from 'node:url';

/** Where the releases' migrations lie: in the repository of the product, as its images carry them. */
export const MIGRATIONS = fileURLToPath(new URL('../../../../examples/paperless/migrations', import.meta.url));

/** What differs between releases: the newest migration that each carries. */
const NEWEST: Readonly<Record<string, string>> = {
  'v1.2.2': '20250120120000',
  'v1.2.3': '20250121083000',
  'v1.2.4': '20250122070000',
};

export interface Release {
  readonly tag: string;
  readonly newest: string;
  /** How this release's code calls who sold something. */
  readonly seller: 'merchant' | 'vendor';
  /** Length of the vectors that its workers make. */
  readonly dimensions: number;
}

/** @throws when there is no such release: the image has no other. */
export function releaseOf(tag = 'v1.2.2'): Release {
  const newest = NEWEST[tag];
  if (newest === undefined) throw new Error(`there is no release ${tag}; known are ${Object.keys(NEWEST).join(', ')}`);
  return { tag, newest, seller: tag < 'v1.2.3' ? 'merchant' : 'vendor', dimensions: tag < 'v1.2.4' ? 16 : 8 };
}
