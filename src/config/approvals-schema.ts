import { z } from 'zod';
import type { Stack } from '../model/index.ts';
import { duration, flag, isOn, milliseconds, text, textList } from './fields.ts';
import type { Finding } from './problems.ts';

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
const name = z.string().regex(NAME, { error: 'a name of letters, digits, ., _ and -' });

export const approvers = z
  .record(name, textList.min(1, { error: 'at least one user' }), { error: 'roles with lists of users' })
  .default({})
  .describe('Who holds which role: users as $BACKSTAY_USER or the system names them.');

const severity = z.strictObject(
  {
    approvers: textList
      .min(1, { error: 'at least one role' })
      .exactOptional()
      .describe('Roles of which any may agree. Default: nobody has to.'),
    when: z
      .enum(['before', 'after'])
      .exactOptional()
      .describe('before: the run waits. after: it starts at once, and the approval is due. Default: before.'),
    count: z.int().min(1).exactOptional().describe('How many different people must agree. Default: 1.'),
    expires: duration
      .exactOptional()
      .describe('From the request on. Default: 1h for before, 24h for after (then it is overdue, and still taken).'),
    deadline: duration
      .exactOptional()
      .describe(
        'From the request on, within which it should be done. Who is notified hears when it passes; not enforced.',
      ),
    postMortem: duration.exactOptional().describe('From the end of the run until its post-mortem is due.'),
    advice: text.exactOptional().describe('Shown with every plan of this severity, such as that it is not advised.'),
  },
  { error: '{approvers, when, count, expires, deadline, postMortem, advice}' },
);

export const severities = z
  .record(name, severity, { error: 'severities with their policies' })
  .default({})
  .describe('What `--severity` can be given, and what each asks for.');

export const requireSeverity = flag.default(false).describe('Whether a rollback needs --severity.');

type RawSeverity = z.output<typeof severity>;

const DEFAULT_EXPIRES = { before: '1h', after: '24h' } as const;

export function toApprovals(raw: {
  readonly approvers: z.output<typeof approvers>;
  readonly severities: z.output<typeof severities>;
  readonly requireSeverity: z.output<typeof requireSeverity>;
}): Stack['approvals'] {
  return {
    approvers: raw.approvers,
    severities: Object.fromEntries(Object.entries(raw.severities).map(([key, policy]) => [key, toPolicy(policy)])),
    requireSeverity: isOn(raw.requireSeverity),
  };
}

function toPolicy(raw: RawSeverity): Stack['approvals']['severities'][string] {
  const { approvers: roles, when = 'before', count = 1, expires, deadline, postMortem, advice } = raw;
  return {
    ...(roles === undefined
      ? {}
      : { approval: { roles, when, count, expiresMs: milliseconds(expires ?? DEFAULT_EXPIRES[when]) } }),
    ...(deadline === undefined ? {} : { deadlineMs: milliseconds(deadline) }),
    ...(postMortem === undefined ? {} : { postMortemMs: milliseconds(postMortem) }),
    ...(advice === undefined ? {} : { advice }),
  };
}

/** Roles that nobody holds, approvals that too few people could give, and settings of an approval that is not asked for. */
export function approvalFindings(settings: Readonly<Record<string, unknown>>): Finding[] {
  const roles = isRecord(settings['approvers']) ? settings['approvers'] : {};
  const policies = isRecord(settings['severities']) ? settings['severities'] : {};
  const findings = Object.entries(policies).flatMap(([key, policy]) =>
    isRecord(policy) ? aboutPolicy(['severities', key], policy, roles) : [],
  );
  const required = settings['requireSeverity'];
  if ((required === true || required === 'true') && Object.keys(policies).length === 0) {
    findings.push({ path: ['requireSeverity'], found: 'true', expected: 'severities to choose from, in severities' });
  }
  return findings;
}

function aboutPolicy(
  path: readonly PropertyKey[],
  policy: Readonly<Record<string, unknown>>,
  roles: Readonly<Record<string, unknown>>,
): Finding[] {
  if (policy['approvers'] === undefined) {
    return ['when', 'count', 'expires'].flatMap((key) =>
      policy[key] === undefined
        ? []
        : [
            {
              path: [...path, key],
              of: 'key' as const,
              found: key,
              expected: 'approvers beside it, who give the approval',
            },
          ],
    );
  }
  const asked = Array.isArray(policy['approvers']) ? policy['approvers'] : [];
  const known = Object.keys(roles);
  const unknown = asked.flatMap((role, index): Finding[] =>
    typeof role !== 'string' || known.includes(role)
      ? []
      : [
          {
            path: [...path, 'approvers', index],
            found: JSON.stringify(role),
            expected:
              known.length === 0
                ? 'a role declared in approvers, which has none'
                : `one of the roles in approvers: ${known.join(', ')}`,
          },
        ],
  );
  if (unknown.length > 0) return unknown;
  const people = new Set(asked.flatMap((role) => listOf(roles[String(role)])));
  const { count } = policy;
  if (typeof count !== 'number' || count <= people.size) return [];
  return [
    {
      path: [...path, 'count'],
      found: `the number ${count}`,
      expected: `at most ${people.size}: so many people hold ${asked.join(' or ')}`,
    },
  ];
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
