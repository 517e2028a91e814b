import { createHash } from 'node:crypto';

/** A vector of the words of a text, of length 1: each word falls into one of the dimensions. Equal texts, equal vectors. */
export function embed(text: string, dimensions: number): readonly number[] {
  const vector = Array.from({ length: dimensions }, () => 0);
  for (const word of text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []) {
    const place = (createHash('sha256').update(word).digest()[0] ?? 0) % dimensions;
    vector[place] = (vector[place] ?? 0) + 1;
  }
  const length = Math.hypot(...vector);
  return length === 0 ? vector : vector.map((value) => value / length);
}

/** Cosine of two vectors of length 1; 0 where they are of different dimensions and cannot be compared. */
export function likeness(a: readonly number[], b: readonly number[]): number {
  return a.length === b.length ? a.reduce((sum, value, index) => sum + value * (b[index] ?? 0), 0) : 0;
}
