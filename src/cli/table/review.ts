import type { CommandSpec } from '../commands.ts';
import { STACK } from './shared.ts';

/** Afterwards: what happened, and why. */
export const REVIEW_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'history',
    summary: 'list the runs',
    args: [['[stack]', 'only of this stack']],
    load: async () => (await import('../commands/history.ts')).history,
    remote: async () => (await import('../remote/reads.ts')).history,
  },
  {
    name: 'report',
    summary: 'print the report of a run',
    args: [['<run>', 'id of the run']],
    options: [
      ['--format <format>', 'markdown, html or json', 'markdown'],
      ['--out <file>', 'write it there instead of printing it'],
    ],
    examples: ['backstay report 20260102-031500-3f9a2c --format html --out report.html'],
    load: async () => (await import('../commands/history.ts')).report,
    remote: async () => (await import('../remote/reads.ts')).report,
  },
  {
    name: 'note',
    summary: 'add what was found out to a run that is over, and write its report again',
    args: [['<run>', 'id of the run']],
    options: [
      ['--root-cause <text>', 'why the version failed'],
      ['--impact <text>', 'what users had of it'],
      ['--data-loss <text>', 'what was lost'],
      ['--follow-up <text>', 'what is still to be done; adds to those before'],
    ],
    examples: ['backstay note 20260102-031500-3f9a2c --root-cause "The model was not in the image."'],
    load: async () => (await import('../commands/notes.ts')).note,
  },
  {
    name: 'stats',
    summary: 'say how often runs were needed, how they ended, how long they took and what downtime they had',
    args: [['[stack]', 'only of this stack']],
    options: [
      ['--since <duration>', 'how far back, such as 90d or 12h', '90d'],
      ['--by <group>', 'trigger, stack or scope', 'trigger'],
    ],
    examples: ['backstay stats', 'backstay stats medical-kg --since 365d --by scope'],
    load: async () => (await import('../commands/notes.ts')).stats,
    remote: async () => (await import('../remote/reads.ts')).stats,
  },
  {
    name: 'doctor',
    summary: 'say what looks wrong with a stack: pods, rollouts, routes, data stores, leases, runs, snapshots, drift',
    args: [STACK],
    load: async () => (await import('../commands/doctor.ts')).doctor,
  },
  {
    name: 'evidence',
    summary: 'say where the evidence of a run is and what it holds: logs, events, objects, metrics of before',
    args: [['<run>', 'id of the run']],
    options: [['--out <file>', 'write a copy of the archive there']],
    load: async () => (await import('../commands/evidence.ts')).evidence,
    remote: async () => (await import('../remote/reads.ts')).evidence,
  },
  {
    name: 'evidence verify',
    summary: 'check every byte of a bundle against its manifest, and that against the journal',
    args: [['<bundle>', 'id of a run, or an archive']],
    load: async () => (await import('../commands/evidence.ts')).verify,
  },
  {
    name: 'evidence collect',
    summary: 'collect evidence now, without a run',
    args: [STACK],
    options: [['--out <file>', 'where the archive goes (default: a folder of our own)']],
    load: async () => (await import('../commands/evidence.ts')).collect,
  },
];
