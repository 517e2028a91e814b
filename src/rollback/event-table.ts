import type { RunEvent } from '../model/index.ts';

type Common = 'run' | 'stack' | 'sequence' | 'time' | 'type';
type Fields<K extends RunEvent['type']> = Exclude<keyof Extract<RunEvent, { type: K }>, Common>;

/**
 * Every event of a run, in words. The type makes it complete both ways; docs/events.md is compared with it by a test.
 * Fields are only ever added.
 */
export const EVENT_TABLE: {
  readonly [K in RunEvent['type']]: { readonly when: string; readonly fields: { readonly [F in Fields<K>]-?: string } };
} = {
  'run.started': {
    when: 'The run is journaled and begins. Not told again on a resume.',
    fields: { target: 'the target as it was said', plan: "the plan's hash" },
  },
  'approval.needed': {
    when: 'The policy of the severity asks for an approval: the run waits for it, or it is due afterwards.',
    fields: {
      severity: 'as the policy names it',
      roles: 'any of these may decide',
      count: 'how many different people must agree',
      when: '`before` or `after`',
      until: 'ISO 8601: when it runs out, or is overdue',
      waived: '`emergency` or `break-glass`: why the run does not wait although the policy says so (optional)',
    },
  },
  'approval.given': {
    when: 'Somebody decided. Also told after the end of a run, where the policy says so.',
    fields: {
      decision: '`approved` or `denied`',
      user: 'who',
      role: 'in which role',
      reason: 'why (optional)',
    },
  },
  'phase.entered': { when: 'The first step of a phase is next.', fields: { phase: 'the phase' } },
  'phase.left': {
    when: 'The next phase begins, or the run ends.',
    fields: { phase: 'the phase', durationMs: 'milliseconds spent in it' },
  },
  'step.started': {
    when: "The step's intent is stored; its act begins. A step that is taken back has a title that says so.",
    fields: { step: "the step's id in the plan", title: 'what it does', phase: 'where the run is' },
  },
  'step.ended': {
    when: "The step's result is stored.",
    fields: {
      step: "the step's id in the plan",
      outcome: '`done`, `skipped`, `failed` or `warned`',
      durationMs: 'milliseconds it took',
      message: 'in one line: what was found or done (optional)',
    },
  },
  'object.progress': {
    when: 'An object is on its way. Each state and message is told once.',
    fields: {
      object: '`group/Kind/namespace/name`',
      state: '`creating`, `updating`, `deleting`, `waiting`, `ready`, `done` or `failed`',
      message: 'what it waits for, for people',
    },
  },
  'check.measured': {
    when: 'A check has its verdict.',
    fields: { result: 'name, kind, verdict (`pass`, `fail`, `unknown`), reason, time and figures' },
  },
  'probe.changed': {
    when: 'A probe of the stack has its first answer in this process, or another verdict than before.',
    fields: {
      name: "the probe's name",
      verdict: '`up`, `down` or `unknown` (nobody could measure)',
      reason: 'in one line: what was answered, or why nothing was',
      at: 'ISO 8601: when the request was due; downtime counts from here',
      latencyMs: 'milliseconds from then to the answer (optional)',
    },
  },
  'run.message': {
    when: 'The run turns back, halts or is resumed, or has something else to say.',
    fields: { level: '`info` or `warn`', message: 'for people', data: 'the same for programs (optional)' },
  },
  'run.ended': {
    when: 'The outcome is stored. A mixed run may start again with `run.message`.',
    fields: {
      outcome: '`succeeded`, `unvalidated`, `nothing-to-do`, `failed`, `returned`, `mixed` or `cancelled`',
      reason: 'why (optional)',
      durationMs: 'milliseconds since the run was created',
    },
  },
  'observation.started': {
    when: 'The stack is watched for some time after the run. Told again when another process takes the watching up.',
    fields: {
      until: 'ISO 8601: when it is over',
      subjects: 'what is watched: `watch NAME`, `check NAME`, `sessions STORE`, `logs`, `neighbours NAMESPACE`',
    },
  },
  'observation.changed': {
    when: 'A subject has its first verdict, or another one than before.',
    fields: {
      subject: 'one of the subjects',
      verdict: '`pass`, `fail` or `unknown` (it could not be measured)',
      reason: 'in one line: what was found, or why nothing was',
    },
  },
  'observation.ended': {
    when: 'The time is over, or a later run of the stack began.',
    fields: {
      outcome: '`quiet`, `disturbed`, `unmeasured` or `stopped`',
      reason: 'in one line',
    },
  },
};

/** Fields that every event has. */
export const COMMON_FIELDS: { readonly [F in Common]: string } = {
  run: "the run's id",
  stack: "the stack's name",
  sequence: 'grows by one within a run, over resumes too',
  time: 'ISO 8601',
  type: 'one of those below',
};

/** The tables of docs/events.md. */
export function eventTables(): string {
  const rows = (fields: Readonly<Record<string, string>>): string[] =>
    Object.entries(fields).map(([name, meaning]) => `| \`${name}\` | ${meaning} |`);
  const head = ['| field | meaning |', '| --- | --- |'];
  const common = [...head, ...rows(COMMON_FIELDS)].join('\n');
  const events = Object.entries(EVENT_TABLE).map(([type, { when, fields }]) =>
    [`## ${type}`, '', when, '', ...head, ...rows(fields)].join('\n'),
  );
  return [common, ...events].join('\n\n');
}
