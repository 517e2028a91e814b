import { readFileSync, statSync } from 'node:fs';
import type { Faults } from '../../contract.ts';

/**
 * The faults that are set at the moment. The file is read again when it changed; one that is absent means healthy, and
 * one that cannot be parsed (half written) leaves the last one standing.
 */
export function faultsReader(file: string | undefined): () => Faults {
  let seen = '';
  let faults: Faults = {};
  return () => {
    if (file === undefined) return faults;
    try {
      const { mtimeMs, size, ino } = statSync(file);
      const now = `${ino}:${size}:${mtimeMs}`;
      if (now === seen) return faults;
      const parsed: unknown = JSON.parse(readFileSync(file, 'utf8'));
      faults = typeof parsed === 'object' && parsed !== null ? parsed : {};
      seen = now;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
        seen = '';
        faults = {};
      }
    }
    return faults;
  };
}
