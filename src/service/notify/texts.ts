import type { Notice } from '../../model/index.ts';

export interface BuiltIn {
  /** One line. Names only what every such notice has. */
  readonly title: string;
  /** A line is left out when something that it names is not known. */
  readonly lines: readonly string[];
}

/** For those who have to know. */
export const TEXTS: Readonly<Record<Notice, BuiltIn>> = {
  'proposal.opened': {
    title: '{{stack}} to {{to}}: a rollback is proposed',
    lines: ['Because of {{alerts}}.', '{{because}}', '{{next}}', 'Plan {{plan}}.', 'Decide: {{link}}'],
  },
  'proposal.closed': {
    title: '{{stack}} to {{to}}: the proposal is {{outcome}}',
    lines: ['{{because}}', 'By {{by}}.', 'Run {{run}}.', '{{link}}'],
  },
  'approval.needed': {
    title: '{{stack}} to {{to}}: an approval is needed',
    lines: [
      'Severity {{severity}}: {{count}} of {{roles}} until {{until}}. {{because}}',
      'To be done by {{deadline}}.',
      'Asked for by {{by}}.',
      'Why: {{reason}}',
      'Incident: {{incident}}',
      'Risk {{risk}}, scope {{scope}}, plan {{plan}}.',
      'Decide: {{link}}',
      'On the command line: {{next}}',
    ],
  },
  'approval.given': {
    title: '{{stack}} to {{to}}: {{decision}}',
    lines: ['By {{by}}.', '{{because}}', 'Run {{run}}.', '{{link}}'],
  },
  'run.started': {
    title: '{{stack}} to {{to}}: begins',
    lines: [
      'From {{from}}, asked for by {{by}} ({{trigger}}).',
      'To be done by {{deadline}}.',
      'Why: {{reason}}',
      'Incident: {{incident}}',
      'Run {{run}}.',
      '{{link}}',
    ],
  },
  'run.ended': {
    title: '{{stack}} to {{to}}: {{outcome}} after {{duration}}',
    lines: ['{{because}}', 'Why: {{reason}}', 'Incident: {{incident}}', 'Run {{run}}.', 'Go on: {{next}}', '{{link}}'],
  },
  'run.stuck': {
    title: '{{stack}} to {{to}}: stuck in phase {{phase}}',
    lines: ['{{because}}', 'Run {{run}}.', 'Look: {{link}}', 'Go on: {{next}}'],
  },
  'run.late': {
    title: '{{stack}} to {{to}}: not done by {{deadline}}',
    lines: [
      'The deadline of severity {{severity}} has passed. {{because}}',
      'Asked for by {{by}}.',
      'Why: {{reason}}',
      'Incident: {{incident}}',
      'Run {{run}}.',
      'Look: {{link}}',
      'Go on: {{next}}',
    ],
  },
  'observation.disturbed': {
    title: '{{stack}} to {{to}}: disturbed after the run',
    lines: [
      '{{because}}',
      'Run {{run}}, severity {{severity}}.',
      'Incident: {{incident}}',
      'Look: {{next}}',
      '{{link}}',
    ],
  },
  'observation.ended': {
    title: '{{stack}} to {{to}}: {{outcome}} after the run',
    lines: ['{{because}}', 'Run {{run}}.', 'Incident: {{incident}}', '{{link}}'],
  },
  escalation: {
    title: '{{stack}} to {{to}}: not done after {{elapsed}} (level {{level}})',
    lines: [
      'To {{contact}}.',
      '{{because}}',
      'Asked for by {{by}}.',
      'Why: {{reason}}',
      'Incident: {{incident}}',
      'Run {{run}}.',
      '{{link}}',
    ],
  },
};

const WORKING: BuiltIn = {
  title: '{{stack}}: maintenance',
  lines: ['We are taking {{stack}} back to an earlier version. It may not answer for a moment.'],
};
const STILL_WORKING: BuiltIn = { title: '{{stack}}: maintenance', lines: ['We are still working on {{stack}}.'] };
const DONE: BuiltIn = { title: '{{stack}}: maintenance', lines: ['The work on {{stack}} is done.'] };

/** For everybody: no names, reasons, addresses or versions. */
export const PUBLIC_TEXTS: Readonly<Record<Notice, BuiltIn>> = {
  'proposal.opened': WORKING,
  'proposal.closed': DONE,
  'approval.needed': WORKING,
  'approval.given': STILL_WORKING,
  'run.started': WORKING,
  'run.ended': DONE,
  'run.stuck': STILL_WORKING,
  'run.late': STILL_WORKING,
  'observation.disturbed': STILL_WORKING,
  'observation.ended': DONE,
  escalation: STILL_WORKING,
};

/** Of a run that ended otherwise than well: nothing is done. */
export const PUBLIC_ILL: BuiltIn = STILL_WORKING;
