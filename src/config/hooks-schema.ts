import { z } from 'zod';
import { PHASES } from '../model/index.ts';
import { accept, duration, httpTarget, keySource, scopes, text, textList } from './fields.ts';

const headers = z.record(z.string(), z.string(), { error: 'header names with their values' });

const action = z
  .discriminatedUnion(
    'kind',
    [
      z.strictObject({
        kind: z.literal('http'),
        method: z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']).default('POST'),
        target: httpTarget,
        body: z.json().exactOptional().describe('Sent as JSON.'),
        headers: headers.exactOptional(),
        accept: accept.default([200, 201, 202, 204]),
      }),
      z.strictObject({
        kind: z.literal('command'),
        command: textList.min(1, { error: 'a program and its arguments' }).describe('Program and arguments; no shell.'),
        env: z.record(z.string(), z.string(), { error: 'names with their values' }).exactOptional(),
      }),
      z.strictObject({ kind: z.literal('restart'), workloads: textList.min(1, { error: 'at least one workload' }) }),
      z.strictObject({
        kind: z.literal('announce'),
        webhook: keySource.describe(
          'Where the URL of a Slack-compatible incoming webhook is found; the URL is a secret.',
        ),
        channel: text.exactOptional(),
        text,
      }),
      z.strictObject({
        kind: z.literal('ticket'),
        api: z
          .url({ error: 'an absolute URL' })
          .exactOptional()
          .describe('Default: $GITHUB_API_URL, as GitHub Enterprise sets it, else https://api.github.com.'),
        repository: z.string().regex(/^[^/\s]+\/[^/\s]+$/, { error: 'OWNER/NAME' }),
        token: keySource,
        title: text,
        body: text,
        labels: textList.default([]),
      }),
    ],
    { error: 'an action with kind http, command, restart, announce or ticket' },
  )
  .describe('What the hook does.');

export const hook = z.strictObject(
  {
    name: text.describe('Unique among the hooks.'),
    phase: z.enum(PHASES).describe('The hook runs while the run goes into this phase.'),
    scopes: scopes.exactOptional(),
    timeout: duration.default('30s'),
    onError: z
      .enum(['halt', 'warn'])
      .default('halt')
      .describe('halt: the phase fails. warn: reported, and the run goes on.'),
    action,
    reverse: action.exactOptional().describe('Takes the action back, when the run goes back.'),
  },
  { error: 'a hook: {name, phase, action, …}' },
);

export type RawHook = z.output<typeof hook>;
