import { describe, expect, test } from 'vitest';
import { PLACEHOLDERS, validateTemplate } from '../../src/hooks/index.ts';
import { fill, type HookAction } from '../../src/model/index.ts';
import { aHook } from '../rollback/builders.ts';

const announce = (text: string): HookAction => ({ kind: 'announce', webhook: { env: 'SLACK' }, text });

describe('placeholders', () => {
  test('are all known to be filled', () => {
    const text = PLACEHOLDERS.map((name) => `{{${name}}}`).join(' ');
    expect(validateTemplate(aHook('it', 'completed', { action: announce(text) }))).toEqual([]);
  });

  test.each<[string, HookAction]>([
    ['an announcement', announce('hello {{ who }}')],
    ['a body', { kind: 'http', method: 'POST', target: { url: '/x' }, body: { a: [{ b: '{{who}}' }] }, accept: [200] }],
    ['a header', { kind: 'http', method: 'POST', target: { url: '/x' }, headers: { 'x-a': '{{who}}' }, accept: [200] }],
    ['a URL', { kind: 'http', method: 'POST', target: { url: '/x/{{who}}' }, accept: [200] }],
    ['an argument', { kind: 'command', command: ['echo', '{{who}}'] }],
    ['an environment', { kind: 'command', command: ['echo'], env: { A: '{{who}}' } }],
    [
      'a title',
      {
        kind: 'ticket',
        api: 'https://x',
        repository: 'a/b',
        token: { env: 'T' },
        title: '{{who}}',
        body: '',
        labels: [],
      },
    ],
  ])('that nobody knows are refused in %s, by name', (_where, action) => {
    expect(validateTemplate(aHook('it', 'completed', { action }))).toEqual([
      expect.stringContaining('unknown placeholder {{who}}'),
    ]);
  });

  test('are looked for in the way back too', () => {
    expect(validateTemplate(aHook('it', 'frozen', { reverse: announce('{{who}}') }))).toHaveLength(1);
  });

  test('in a value are not filled again', () => {
    expect(fill('{{reason}}', { reason: '{{run}}', run: 'r1' })).toBe('{{run}}');
  });
});
