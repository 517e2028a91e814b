/** How long two texts may be compared, milliseconds: beyond it they have nothing to do with each other. */
const TIMEOUT_MS = 2_000;

/**
 * Share of words that two texts have in common and in the same order, 0 to 1: twice the common ones over all of both.
 * Case, punctuation, mark-up characters and line breaks do not count. Two texts without words are equal.
 */
export async function wordSimilarity(a: string, b: string): Promise<number> {
  const [left, right] = [words(a), words(b)];
  if (left.length + right.length === 0) return 1;
  const { diffArrays } = await import('diff');
  const parts = diffArrays([...left], [...right], { timeout: TIMEOUT_MS });
  if (parts === undefined) return 0;
  const common = parts
    .filter(({ added, removed }) => !added && !removed)
    .reduce((sum, part) => sum + part.value.length, 0);
  return (2 * common) / (left.length + right.length);
}

function words(text: string): readonly string[] {
  return (
    text
      .normalize('NFKC')
      .toLowerCase()
      .match(/[\p{L}\p{N}]+/gu) ?? []
  );
}
