import { expect, test } from 'vitest';
import { didYouMean } from '../../src/errors/index.ts';

test.each([
  ['frozn', ['frozen', 'planned'], 'frozen'],
  ['gatewya', ['gateway', 'getaway'], 'gateway'],
  ['Medical-KG', ['medical-kg'], 'medical-kg'],
  ['timout', ['timeout', 'time'], 'timeout'],
  ['x', ['yz', 'abc'], undefined],
  ['entirely-else', ['gateway', 'worker'], undefined],
  ['a', [], undefined],
])('%s among %j is taken for %s', (typed, candidates, meant) => {
  expect(didYouMean(typed, candidates)).toBe(meant);
});
