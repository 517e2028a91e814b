import { expect, test } from 'vitest';
import { BackstayError } from '../../../src/errors/index.ts';
import { problemOf } from '../../../src/service/dispatch/problem.ts';

test.each<[string, unknown, ReturnType<typeof problemOf>]>([
  [
    'that names what to do',
    new BackstayError('TOOL_MISSING', 'No process.', { next: 'Find one.' }),
    { code: 'TOOL_MISSING', message: 'No process.', next: 'Find one.' },
  ],
  [
    'that no second try changes',
    new BackstayError('STACK_UNKNOWN', 'No stack.', { next: 'Look.' }),
    { code: 'STACK_UNKNOWN', message: 'No stack.', next: 'Look.', isFinal: true },
  ],
  [
    'of others, which may hold anything',
    new TypeError('connect to postgres://user:secret@db'),
    { code: 'INTERNAL', message: 'TypeError' },
  ],
  ['that is no error', 'secret', { code: 'INTERNAL', message: 'string' }],
])('an error %s is shown with the run as far as it may be', (_what, error, expected) => {
  expect(problemOf(error)).toEqual(expected);
});
