import type { CommandSpec } from '../commands.ts';
import { STACK, TO, SCOPE, PERMISSIONS } from './shared.ts';

/** What a stack is and was. */
export const SNAPSHOT_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'stacks',
    summary: 'list the stacks',
    load: async () => (await import('../commands/stacks.ts')).stacks,
    remote: async () => (await import('../remote/reads.ts')).stacks,
  },
  {
    name: 'capture',
    summary: 'store what the stack is now, with its checks, as a signed snapshot',
    args: [STACK],
    options: [
      ['--as <label>', 'a label, such as v1.2.2'],
      ['--note <text>', 'why it was captured'],
      ['--no-checks', 'do not ask the checks: the snapshot is then not known good'],
    ],
    examples: ['backstay capture medical-kg --as v1.2.2'],
    load: async () => (await import('../commands/capture.ts')).capture,
    remote: async () => (await import('../remote/reads.ts')).capture,
  },
  {
    name: 'import-manifests',
    summary: 'make a snapshot from a directory of plain manifests',
    args: [STACK, ['<dir>', 'directory with YAML or JSON']],
    options: [
      ['--as <label>', 'a label'],
      ['--note <text>', 'why it was imported'],
      ['--allow-unsigned', 'store it without a signature when the key is not at hand'],
    ],
    load: async () => (await import('../commands/capture.ts')).importManifests,
  },
  {
    name: 'list',
    summary: 'list the snapshots of a stack',
    args: [STACK],
    load: async () => (await import('../commands/snapshots.ts')).list,
    remote: async () => (await import('../remote/reads.ts')).list,
  },
  {
    name: 'show',
    summary: 'show one snapshot: objects, flags, images, checks',
    args: [STACK, ['<target>', 'snapshot id, label, previous or known-good']],
    options: [['--allow-unsigned', 'show it also without a trusted signature']],
    load: async () => (await import('../commands/snapshots.ts')).show,
    remote: async () => (await import('../remote/reads.ts')).show,
  },
  {
    name: 'release',
    summary: 'let a version go that is held because it failed, with every snapshot of it',
    args: [STACK, ['<snapshot>', 'snapshot id or label']],
    options: [
      ['--reason <text>', 'why it may be used again: signed into the records'],
      ['-y, --yes', 'do not ask'],
    ],
    examples: ['backstay release medical-kg v1.3.0 --reason "it was the network"'],
    load: async () => (await import('../commands/release.ts')).release,
  },
  {
    name: 'verify',
    summary: 'read every stored snapshot again: digests, signatures, completeness',
    args: [STACK, ['[target]', 'only this one']],
    load: async () => (await import('../commands/snapshots.ts')).verify,
  },
  {
    name: 'check',
    summary: 'ask the checks of a stack now',
    args: [STACK],
    options: [
      ['--when <moment>', 'capture, before or after', 'after'],
      ['--runbook', 'ask instead whether the runbook applies: its alerts firing, what the suspect depends on well'],
    ],
    load: async () => (await import('../commands/check.ts')).check,
  },
  {
    name: 'diff',
    summary: 'show what differs between the live stack and a target',
    args: [STACK],
    options: [
      TO,
      ['--from <snapshot>', 'compare this snapshot instead of the live stack'],
      SCOPE,
      ['--detailed-exitcode', 'exit 2 when something differs'],
      ['--out <file>', 'write the plan of a rollback, to be carried out with `rollback --plan`'],
      ['--reason <text>', 'with --out: why, as it will be journaled'],
      ['--incident <url>', 'with --out: link of the incident'],
      ['--severity <name>', 'with --out: of the incident, as the stack file names it'],
      ...PERMISSIONS,
    ],
    examples: ['backstay diff medical-kg --to known-good', 'backstay diff medical-kg --to v1.2.2 --scope traffic'],
    load: async () => (await import('../commands/diff.ts')).diff,
    remote: async () => (await import('../remote/reads.ts')).diff,
  },
];
