import { expect, test } from 'vitest';
import type { Stack } from '../../../src/model/index.ts';
import { sparedVariables } from '../../../src/service/dispatch/spared.ts';
import { aStack } from '../../rollback/builders.ts';

const tells = (...names: readonly string[]): Pick<Stack, 'notifications'> => ({
  notifications: {
    channels: names.map((env) => ({ kind: 'slack' as const, name: env, webhook: { env } })),
    escalation: [],
    stuckAfterMs: 600_000,
  },
});

test('a run gets no key that only notifications need', () => {
  expect(sparedVariables(aStack(tells('CHAT_URL')))).toContain('CHAT_URL');
});

test('and every one that the stack needs for itself as well', () => {
  const spared = sparedVariables(aStack(tells('CHAT_URL', 'SIGN')));
  expect(spared).toContain('CHAT_URL');
  expect(spared).not.toContain('SIGN');
});

test('nor what lets the command line ask a service', () => {
  expect(sparedVariables(aStack())).toEqual(['BACKSTAY_TOKEN', 'BACKSTAY_SERVER']);
});
