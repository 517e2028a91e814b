import type { CommandSpec } from '../commands.ts';
import { STACK, TRANSITION, APPROVAL, UNDO } from './shared.ts';

/** From one state to another, and back. */
export const RUN_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'rollback',
    summary: 'take the stack to a target: plan, confirm, run, prove',
    args: [STACK],
    options: TRANSITION,
    examples: [
      'backstay rollback medical-kg --to known-good --dry-run',
      'backstay rollback medical-kg --to v1.2.2 --reason "Docling is slow" --incident https://pd.example/42',
      'backstay rollback medical-kg --to deployment/gateway@3 --scope gateway',
    ],
    load: async () => (await import('../commands/rollback.ts')).rollback,
    remote: async () => (await import('../remote/transition.ts')).rollback,
  },
  {
    name: 'apply',
    summary:
      'take the stack to a target as a rollback does, with nothing held afterwards: a release, a first deployment',
    args: [STACK],
    options: [...TRANSITION, ['--allow-held', 'go to a version that is held because it failed']],
    examples: ['backstay apply medical-kg --to v1.3.0 --reason "release v1.3.0"'],
    load: async () => (await import('../commands/rollback.ts')).apply,
    remote: async () => (await import('../remote/transition.ts')).apply,
  },
  {
    name: 'resume',
    summary: 'go on with a run that stopped part of the way',
    args: [['<run>', 'id of the run']],
    options: [
      ['--wait', 'stay until the run is approved, and go on then'],
      ['-y, --yes', 'do not ask'],
    ],
    load: async () => (await import('../commands/rollback.ts')).resume,
    remote: async () => (await import('../remote/transition.ts')).resume,
  },
  {
    name: 'approve',
    summary: 'show the plan of a run that needs an approval, and give it',
    args: [['<run>', 'id of the run']],
    options: APPROVAL,
    examples: ['backstay approve 20260101-120000-3f9a2c --reason "seen with the database team"'],
    load: async () => (await import('../commands/approvals.ts')).approve,
    remote: async () => (await import('../remote/approvals.ts')).approve,
  },
  {
    name: 'deny',
    summary: 'refuse a run its approval: it is over then',
    args: [['<run>', 'id of the run']],
    options: APPROVAL,
    load: async () => (await import('../commands/approvals.ts')).deny,
    remote: async () => (await import('../remote/approvals.ts')).deny,
  },
  {
    name: 'approvals',
    summary: 'list the approvals that runs wait for, and those that are due afterwards',
    args: [['[stack]', 'only of this stack']],
    load: async () => (await import('../commands/approvals.ts')).approvals,
    remote: async () => (await import('../remote/reads.ts')).approvals,
  },
  {
    name: 'undo',
    summary: 'take the effect of a run back: one more transition, to what the stack was before it',
    args: [['<run>', 'id of the run']],
    options: UNDO,
    examples: ['backstay undo 20260102-031500-3f9a2c --dry-run'],
    load: async () => (await import('../commands/undo.ts')).undo,
    remote: async () => (await import('../remote/transition.ts')).undo,
  },
  {
    name: 'finalize',
    summary: 'close the way back of a run for good, and remove what was kept for it alone',
    args: [['<run>', 'id of the run; with --expired: name of a stack']],
    options: [
      ['--expired', 'all runs and snapshots of a stack that are past its retention'],
      ['--dry-run', 'show what would be removed'],
      ['-y, --yes', 'do not ask'],
    ],
    examples: ['backstay finalize 20260102-031500-3f9a2c', 'backstay finalize medical-kg --expired --dry-run'],
    load: async () => (await import('../commands/finalize.ts')).finalize,
  },
  {
    name: 'kept',
    summary: 'list what is kept of a stack: why, how large, until when',
    args: [STACK],
    load: async () => (await import('../commands/finalize.ts')).kept,
  },
  {
    name: 'watch',
    summary: 'show a run that another process or machine carries, live; Ctrl-C stops the watching, not the run',
    args: [['<run>', 'id of the run']],
    examples: ['backstay watch 20260101-120000-3f9a2c'],
    load: async () => (await import('../commands/watch.ts')).watch,
    remote: async () => (await import('../remote/watch.ts')).watch,
  },
  {
    name: 'observe',
    summary: 'watch a stack for some time after a run, and say in its report what came; a service does so by itself',
    args: [['<run>', 'id of the run']],
    options: [['--for <duration>', 'from now on (default: what the stack file says, from the end of the run)']],
    examples: ['backstay observe 20260101-120000-3f9a2c --for 10m'],
    load: async () => (await import('../commands/observe.ts')).observe,
  },
];
