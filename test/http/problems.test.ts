import { HTTPException } from 'hono/http-exception';
import { describe, expect, it } from 'vitest';
import { BackstayError, CODES, type ErrorCode } from '../../src/errors/index.ts';
import { problemOf, refuseMisfits } from '../../src/http/problem.ts';
import { STATUSES } from '../../src/http/statuses.ts';

const codes = Object.keys(CODES) as ErrorCode[];

describe('the table of statuses', () => {
  it('has every error code, and no other', () => {
    expect(Object.keys(STATUSES).toSorted()).toEqual(codes.toSorted());
  });

  it('blames the caller for nothing that only the operator of the service can mend', () => {
    expect(codes.filter((code) => CODES[code].source === 'us' && STATUSES[code] < 500)).toEqual([]);
    expect(codes.filter((code) => STATUSES[code] < 400 || STATUSES[code] > 599)).toEqual([]);
  });
});

describe('a problem', () => {
  it('carries what the error carries, and the request', () => {
    const error = new BackstayError('LEASE_HELD', 'Run r1 holds shop.', { next: 'Wait.', details: { run: 'r1' } });
    expect(problemOf(error, 'req-1')).toEqual({
      type: 'urn:backstay:error:LEASE_HELD',
      title: CODES.LEASE_HELD.summary,
      status: 409,
      detail: 'Run r1 holds shop.',
      code: 'LEASE_HELD',
      source: 'environment',
      next: 'Wait.',
      requestId: 'req-1',
      details: { run: 'r1' },
    });
  });

  it.each([
    ['an error of the language', new TypeError('password=hunter2')],
    ['a text', 'password=hunter2'],
    ['nothing', undefined],
    ['a failure of a part of hono', new HTTPException(500, { message: 'password=hunter2' })],
  ])('says nothing of %s that nobody foresaw', (_, error) => {
    const problem = problemOf(error, 'req-1');
    expect(problem).toMatchObject({ status: 500, code: 'INTERNAL', source: 'us' });
    expect(JSON.stringify(problem)).not.toContain('hunter2');
  });

  it.each([
    [400, 'REQUEST_MALFORMED'],
    [415, 'REQUEST_TYPE'],
  ] as const)('names what hono refuses with %i', (status, code) => {
    expect(problemOf(new HTTPException(status), 'r')).toMatchObject({ status, code });
  });

  it('points at each place that does not fit, by RFC 6901', () => {
    const issues = [
      { path: ['grants', 0, 'a/b~c'], message: 'no text' },
      { path: [], message: 'no object' },
    ];
    const refuse = () => refuseMisfits({ success: false, target: 'json', error: { issues } });
    expect(refuse).toThrow(expect.objectContaining({ code: 'REQUEST_INVALID' }));
    try {
      refuse();
    } catch (error) {
      expect(problemOf(error, 'r').errors).toEqual([
        { in: 'body', pointer: '/grants/0/a~1b~0c', detail: 'no text' },
        { in: 'body', pointer: '', detail: 'no object' },
      ]);
    }
  });
});
