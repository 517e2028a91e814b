import { z } from 'zod';
import {
  type KeySource,
  NOTICE_PLACEHOLDERS,
  NOTICES,
  type NotificationPolicy,
  type NotificationSetting,
  placeholdersIn,
} from '../model/index.ts';
import { didYouMean } from '../errors/index.ts';
import { duration, keySource, milliseconds, text, textList } from './fields.ts';
import type { Finding } from './problems.ts';

const PAGERDUTY = 'https://events.pagerduty.com/v2/enqueue';

const address = z
  .string({ error: 'an absolute http or https URL' })
  .regex(/^https?:\/\/[^/\s]/, { error: 'an absolute http or https URL' });

const common = {
  name: z
    .string({ error: 'a name of letters, digits, ., _ and -' })
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, { error: 'a name of letters, digits, ., _ and -' })
    .describe('Unique among the channels.'),
  on: z
    .array(z.enum(NOTICES), { error: 'a list of notices' })
    .exactOptional()
    .describe(
      'What it is told. Default: all but escalations, which go to those whom they name; to a status page the start and the end of runs.',
    ),
  templates: z
    .partialRecord(z.enum(NOTICES), text, { error: 'notices with their texts' })
    .exactOptional()
    .describe('Texts instead of the built-in ones, with {{placeholders}}.'),
};

const channel = z.discriminatedUnion(
  'kind',
  [
    z.strictObject({
      ...common,
      kind: z.literal('slack'),
      webhook: keySource.describe('Where the URL of an incoming webhook is found; the URL is a secret.'),
      channel: text.exactOptional(),
    }),
    z.strictObject({
      ...common,
      kind: z.literal('github'),
      api: address
        .exactOptional()
        .describe('Default: $GITHUB_API_URL, as GitHub Enterprise sets it, else https://api.github.com.'),
      repository: z.string().regex(/^[^/\s]+\/[^/\s]+$/, { error: 'OWNER/NAME' }),
      token: keySource,
      labels: textList.default([]),
    }),
    z.strictObject({
      ...common,
      kind: z.literal('pagerduty'),
      url: address.default(PAGERDUTY),
      routingKey: keySource.describe('Integration key of Events API v2.'),
    }),
    z.strictObject({
      ...common,
      kind: z.literal('webhook'),
      url: address,
      secret: keySource.describe('Signs each body by HMAC-SHA256; 16 characters or more.'),
    }),
    z.strictObject({ ...common, kind: z.literal('status'), url: address, token: keySource }),
  ],
  { error: 'a channel with kind slack, github, pagerduty, webhook or status' },
);

const level = z.strictObject(
  {
    after: duration.describe('Since the run was asked for; of an approved one, since it was approved.'),
    notify: z.array(text, { error: 'a list of channels' }).min(1, { error: 'at least one channel' }),
    contact: text.exactOptional().describe('Said with it: who this is.'),
  },
  { error: '{after, notify, contact}' },
);

/** Whom a service tells about runs and proposals. */
export const notifications = z
  .strictObject(
    {
      channels: z.array(channel, { error: 'a list of channels' }).min(1, { error: 'at least one channel' }),
      escalation: z
        .array(level, { error: 'a list of {after, notify, contact}' })
        .default([])
        .describe('Who is told next while a run waits for its approval, or is not done.'),
      stuckAfter: duration
        .default('15m')
        .describe('A run that should be at work and has written nothing for so long counts as stuck.'),
      page: address.exactOptional().describe("Where people reach the service's page; for links."),
    },
    { error: '{channels, escalation, stuckAfter, page}' },
  )
  .describe('Whom a service tells about runs and proposals.');

type RawNotifications = z.output<typeof notifications>;

/** `place` makes the path of a key file absolute; `issueApi` is where issues are unless a channel says otherwise. */
export function toNotifications(
  raw: RawNotifications,
  { place, issueApi }: { readonly place: (source: KeySource) => KeySource; readonly issueApi: string },
): NotificationPolicy {
  const { channels, escalation, stuckAfter, page } = raw;
  return {
    channels: channels.map((one) => toChannel(one, place, issueApi)),
    escalation: escalation
      .map(({ after, ...rest }) => ({ ...rest, afterMs: milliseconds(after) }))
      .toSorted((a, b) => a.afterMs - b.afterMs),
    stuckAfterMs: milliseconds(stuckAfter),
    ...(page === undefined ? {} : { page: page.replace(/\/+$/, '') }),
  };
}

function toChannel(
  raw: RawNotifications['channels'][number],
  place: (source: KeySource) => KeySource,
  issueApi: string,
): NotificationSetting {
  switch (raw.kind) {
    case 'slack':
      return { ...raw, webhook: place(raw.webhook) };
    case 'github':
      return { ...raw, api: raw.api ?? issueApi, token: place(raw.token) };
    case 'pagerduty':
      return { ...raw, routingKey: place(raw.routingKey) };
    case 'webhook':
      return { ...raw, secret: place(raw.secret) };
    case 'status':
      return { ...raw, token: place(raw.token) };
  }
}

type Unchecked = Readonly<Record<string, unknown>>;

/** Channels of one name, levels that name none, and placeholders that nobody fills. */
export function notificationFindings(settings: Unchecked): Finding[] {
  const raw = settings['notifications'];
  if (!isRecord(raw)) return [];
  const channels = listOf(raw['channels']);
  const names = channels.map((one) => (isRecord(one) ? one['name'] : undefined));
  return [
    ...names.flatMap((name, index) =>
      typeof name === 'string' && names.indexOf(name) < index
        ? [
            {
              path: ['notifications', 'channels', index, 'name'],
              found: `${JSON.stringify(name)} a second time`,
              expected: 'a name of its own',
            },
          ]
        : [],
    ),
    ...channels.flatMap((one, index) => (isRecord(one) ? aboutTemplates(one['templates'], index) : [])),
    ...listOf(raw['escalation']).flatMap((one, index) =>
      isRecord(one) ? aboutLevel(one['notify'], index, names) : [],
    ),
  ];
}

function aboutTemplates(templates: unknown, index: number): Finding[] {
  if (!isRecord(templates)) return [];
  const known: readonly string[] = NOTICE_PLACEHOLDERS;
  return Object.entries(templates).flatMap(([notice, template]) => {
    const unknown = typeof template === 'string' ? placeholdersIn(template).filter((one) => !known.includes(one)) : [];
    return [...new Set(unknown)].map((one) => {
      const near = didYouMean(one, known);
      return {
        path: ['notifications', 'channels', index, 'templates', notice],
        found: `the unknown placeholder {{${one}}}`,
        expected: `one of ${known.join(', ')}`,
        ...(near === undefined ? {} : { hint: near }),
      };
    });
  });
}

function aboutLevel(notify: unknown, index: number, names: readonly unknown[]): Finding[] {
  const known = names.filter((name) => typeof name === 'string');
  return listOf(notify).flatMap((name, at) =>
    typeof name !== 'string' || known.includes(name)
      ? []
      : [
          {
            path: ['notifications', 'escalation', index, 'notify', at],
            found: JSON.stringify(name),
            expected: known.length === 0 ? 'a channel, and there is none' : `one of the channels: ${known.join(', ')}`,
          },
        ],
  );
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function isRecord(value: unknown): value is Unchecked {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
