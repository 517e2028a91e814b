import type { GlobalOptions, Terminal } from './output.ts';

export interface Invocation {
  readonly args: readonly string[];
  readonly options: Readonly<Record<string, unknown>>;
  readonly globals: GlobalOptions;
  readonly terminal: Terminal;
  readonly process: NodeJS.Process;
}

/** Runs a command; resolves with the exit code, throws BackstayError for what cannot go on. */
export type CommandRun = (invocation: Invocation) => Promise<number>;

export interface CommandSpec {
  readonly name: string;
  readonly summary: string;
  readonly args?: readonly (readonly [syntax: string, help: string])[];
  readonly options?: readonly (readonly [flags: string, help: string, fallback?: string])[];
  readonly aliases?: readonly string[];
  readonly examples?: readonly string[];
  /** Loads the code of the command: nothing heavy is imported for `--help`. */
  readonly load: () => Promise<CommandRun>;
}

const STACK = ['<stack>', 'name of a stack file: stacks/Pulumi.<stack>.yaml'] as const;
const STORE = ['[store]', 'name of a data store; the only one needs none'] as const;
const TO = ['--to <target>', 'snapshot id, label, previous, known-good, or deployment/NAME@REVISION'] as const;
const SCOPE = [
  '--scope <scope>',
  'full, application, workers, config, flags, traffic, database, infrastructure, or workload names with commas',
] as const;

/** Permissions that change what a plan may do; the same for `diff` and `rollback`. */
const PERMISSIONS = [
  ['--allow-unsigned', 'accept a snapshot without a trusted signature'],
  ['--allow-cluster-mismatch', 'accept a snapshot of another cluster'],
  ['--allow-unknown-images', 'go on with images that no node is known to have (--emergency implies it)'],
  ['--exact-replicas', 'lower replicas below live when the target has fewer'],
  ['--take <managers>', 'take over the fields of these controllers (commas)'],
  ['--force-replace <objects>', 'delete and create again instead of changing in place: KIND/NAME (commas)'],
  ['--delete-protected', 'also delete PVCs, namespaces, CRDs and data-store workloads that the target lacks'],
] as const;

/** Flags of `rollback` and `apply`; the older names are Paperless' script's. */
const TRANSITION = [
  TO,
  ['--target-version <label>', 'the same as --to'],
  SCOPE,
  ['--dry-run', 'plan and show, change nothing'],
  ['--emergency', 'skip the precondition of the runbook and the checks before (never the snapshot before)'],
  ['--immediate', 'the same as --emergency'],
  ['--reason <text>', 'why: journaled, announced, in the report'],
  ['--incident <url>', 'link of the incident'],
  ['--severity <name>', 'of the incident, as the stack file names it: decides who has to approve'],
  ['--break-glass', 'do not wait for the approval: it is then due afterwards (needs --reason; journaled, reported)'],
  ['--wait', 'stay until the run is approved, and go on then'],
  ['--out <file>', 'with --dry-run: write the plan, to be carried out later with --plan'],
  ['--plan <file>', 'carry out exactly this plan, instead of --to and what changes a plan'],
  ['--replan', 'where live moved since --plan was written: plan again, show what is different, and ask again'],
  ['--abandon <run>', 'give up the unfinished run of this name that keeps others from the stack (needs --reason)'],
  ['--trigger <what>', 'person, alert, pipeline or schedule: nothing automatic takes back a rollback', 'person'],
  ['--skip-validation', 'do not ask the checks afterwards: the outcome is then unvalidated (exit 8)'],
  ['--validate-before', 'ask the checks before, too'],
  ['--validate-after', 'ask the checks afterwards (this is the default)'],
  ['--create-backup', 'keep a snapshot of before (always done; accepted for older scripts)'],
  ['--list-versions', 'list what can be gone back to, and stop'],
  [
    '--on-invalid <way>',
    'when the checks fail at the target: halt, or return to what was before (default: the stack file)',
  ],
  ['--timeout <duration>', 'limit for a workload to become ready, such as 5m'],
  ['--force-pods', 'delete pods that hang (beyond their grace, or on a node that is gone) without grace'],
  ['--force-finalizers', 'take the finalizers off what the plan deletes, where it hangs on them'],
  ['-y, --yes', 'do not ask'],
  ...PERMISSIONS,
] as const;

/** Flags of `approve` and `deny`. */
const APPROVAL = [
  ['--reason <text>', 'why; `deny` needs it'],
  ['--plan <hash>', 'decide only about the plan with this hash (12 digits or more)'],
  ['-y, --yes', 'do not ask'],
] as const;

/** Flags of `undo`: those of a transition whose target and scope are given. */
const LEFT_OUT = [
  '--abandon',
  '--out',
  '--wait',
  '--to <',
  '--target-version',
  '--scope',
  '--trigger',
  '--list-versions',
  '--create-backup',
  '--plan',
  '--replan',
];
const UNDO = TRANSITION.filter(([flags]) => !LEFT_OUT.some((one) => flags.startsWith(one)));

export const COMMANDS: readonly CommandSpec[] = [
  {
    name: 'stacks',
    summary: 'list the stacks',
    load: async () => (await import('./commands/stacks.ts')).stacks,
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
    load: async () => (await import('./commands/capture.ts')).capture,
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
    load: async () => (await import('./commands/capture.ts')).importManifests,
  },
  {
    name: 'list',
    summary: 'list the snapshots of a stack',
    args: [STACK],
    load: async () => (await import('./commands/snapshots.ts')).list,
  },
  {
    name: 'show',
    summary: 'show one snapshot: objects, flags, images, checks',
    args: [STACK, ['<target>', 'snapshot id, label, previous or known-good']],
    options: [['--allow-unsigned', 'show it also without a trusted signature']],
    load: async () => (await import('./commands/snapshots.ts')).show,
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
    load: async () => (await import('./commands/release.ts')).release,
  },
  {
    name: 'verify',
    summary: 'read every stored snapshot again: digests, signatures, completeness',
    args: [STACK, ['[target]', 'only this one']],
    load: async () => (await import('./commands/snapshots.ts')).verify,
  },
  {
    name: 'check',
    summary: 'ask the checks of a stack now',
    args: [STACK],
    options: [
      ['--when <moment>', 'capture, before or after', 'after'],
      ['--runbook', 'ask instead whether the runbook applies: its alerts firing, what the suspect depends on well'],
    ],
    load: async () => (await import('./commands/check.ts')).check,
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
    load: async () => (await import('./commands/diff.ts')).diff,
  },
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
    load: async () => (await import('./commands/rollback.ts')).rollback,
  },
  {
    name: 'apply',
    summary:
      'take the stack to a target as a rollback does, with nothing held afterwards: a release, a first deployment',
    args: [STACK],
    options: [...TRANSITION, ['--allow-held', 'go to a version that is held because it failed']],
    examples: ['backstay apply medical-kg --to v1.3.0 --reason "release v1.3.0"'],
    load: async () => (await import('./commands/rollback.ts')).apply,
  },
  {
    name: 'resume',
    summary: 'go on with a run that stopped part of the way',
    args: [['<run>', 'id of the run']],
    options: [
      ['--wait', 'stay until the run is approved, and go on then'],
      ['-y, --yes', 'do not ask'],
    ],
    load: async () => (await import('./commands/rollback.ts')).resume,
  },
  {
    name: 'approve',
    summary: 'show the plan of a run that needs an approval, and give it',
    args: [['<run>', 'id of the run']],
    options: APPROVAL,
    examples: ['backstay approve 20260101-120000-3f9a2c --reason "seen with the database team"'],
    load: async () => (await import('./commands/approvals.ts')).approve,
  },
  {
    name: 'deny',
    summary: 'refuse a run its approval: it is over then',
    args: [['<run>', 'id of the run']],
    options: APPROVAL,
    load: async () => (await import('./commands/approvals.ts')).deny,
  },
  {
    name: 'approvals',
    summary: 'list the approvals that runs wait for, and those that are due afterwards',
    args: [['[stack]', 'only of this stack']],
    load: async () => (await import('./commands/approvals.ts')).approvals,
  },
  {
    name: 'undo',
    summary: 'take the effect of a run back: one more transition, to what the stack was before it',
    args: [['<run>', 'id of the run']],
    options: UNDO,
    examples: ['backstay undo 20260102-031500-3f9a2c --dry-run'],
    load: async () => (await import('./commands/undo.ts')).undo,
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
    load: async () => (await import('./commands/finalize.ts')).finalize,
  },
  {
    name: 'kept',
    summary: 'list what is kept of a stack: why, how large, until when',
    args: [STACK],
    load: async () => (await import('./commands/finalize.ts')).kept,
  },
  {
    name: 'watch',
    summary: 'show a run that another process or machine carries, live; Ctrl-C stops the watching, not the run',
    args: [['<run>', 'id of the run']],
    examples: ['backstay watch 20260101-120000-3f9a2c'],
    load: async () => (await import('./commands/watch.ts')).watch,
  },
  {
    name: 'history',
    summary: 'list the runs',
    args: [['[stack]', 'only of this stack']],
    load: async () => (await import('./commands/history.ts')).history,
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
    load: async () => (await import('./commands/history.ts')).report,
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
    load: async () => (await import('./commands/notes.ts')).note,
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
    load: async () => (await import('./commands/notes.ts')).stats,
  },
  {
    name: 'doctor',
    summary: 'say what looks wrong with a stack: pods, rollouts, routes, data stores, leases, runs, snapshots, drift',
    args: [STACK],
    load: async () => (await import('./commands/doctor.ts')).doctor,
  },
  {
    name: 'evidence',
    summary: 'say where the evidence of a run is and what it holds: logs, events, objects, metrics of before',
    args: [['<run>', 'id of the run']],
    options: [['--out <file>', 'write a copy of the archive there']],
    load: async () => (await import('./commands/evidence.ts')).evidence,
  },
  {
    name: 'evidence verify',
    summary: 'check every byte of a bundle against its manifest, and that against the journal',
    args: [['<bundle>', 'id of a run, or an archive']],
    load: async () => (await import('./commands/evidence.ts')).verify,
  },
  {
    name: 'evidence collect',
    summary: 'collect evidence now, without a run',
    args: [STACK],
    options: [['--out <file>', 'where the archive goes (default: a folder of our own)']],
    load: async () => (await import('./commands/evidence.ts')).collect,
  },
  {
    name: 'db list',
    summary: 'list the data stores of a stack and their backups',
    args: [STACK],
    load: async () => (await import('./commands/db.ts')).list,
  },
  {
    name: 'db backup',
    summary: 'back a data store up, and prove it by restoring it beside the live data',
    args: [STACK, STORE],
    options: [['--no-restore', 'only read it back: enough against damage, not as the way back of a run']],
    examples: ['backstay db backup medical-kg', 'backstay db backup medical-kg main --no-restore'],
    load: async () => (await import('./commands/db.ts')).backup,
  },
  {
    name: 'db verify',
    summary: 'read a backup again, restore it beside the live data, count, and drop that',
    args: [STACK, ['<backup>', 'id of the backup, or latest'], STORE],
    options: [['--no-restore', 'only read it and compare its digest']],
    load: async () => (await import('./commands/db.ts')).verify,
  },
  {
    name: 'db restore',
    summary: 'take a data store back to a backup: restored beside, counted, exchanged at once',
    args: [STACK, ['<backup>', 'id of the backup, or latest'], STORE],
    options: [
      ['--dry-run', 'plan and show, change nothing'],
      ['--emergency', 'skip the checks before'],
      ['--reason <text>', 'why: journaled, announced, in the report'],
      ['--incident <url>', 'link of the incident'],
      ['--skip-validation', 'do not ask the checks afterwards: the outcome is then unvalidated (exit 8)'],
      ['-y, --yes', 'do not ask'],
    ],
    examples: ['backstay db restore medical-kg latest --reason "v1.3.1 damaged documents"'],
    load: async () => (await import('./commands/db-restore.ts')).restore,
  },
  {
    name: 'db undo',
    summary: 'make the former data live again: the same as `undo`',
    args: [['<run>', 'id of the run']],
    options: UNDO,
    load: async () => (await import('./commands/undo.ts')).undo,
  },
  {
    name: 'db finalize',
    summary: 'drop the data that was set aside: the same as `finalize`',
    args: [['<run>', 'id of the run']],
    options: [
      ['--dry-run', 'show what would be removed'],
      ['-y, --yes', 'do not ask'],
    ],
    load: async () => (await import('./commands/finalize.ts')).finalize,
  },
  {
    name: 'keys init',
    summary: 'make the keys of a stack (never overwrites)',
    args: [STACK],
    load: async () => (await import('./commands/keys.ts')).init,
  },
  {
    name: 'toolchain',
    summary: 'list the tools: version, where from, size',
    load: async () => (await import('./commands/toolchain.ts')).toolchain,
  },
  {
    name: 'toolchain get',
    summary: 'fetch or build the tools that are missing, before they are needed',
    args: [['[tools...]', 'names as `toolchain` lists them (default: what a run and the sandbox need)']],
    examples: ['backstay toolchain get', 'backstay toolchain get pulumi'],
    load: async () => (await import('./commands/toolchain.ts')).get,
  },
  {
    name: 'sandbox up',
    summary: 'start it (or say that it is up)',
    options: [
      ['--fake-nodes <count>', 'kwok nodes for measuring roll-outs', '0'],
      ['--ingress-port <port>', 'port of the Ingress on 127.0.0.1 (free one by default)'],
    ],
    load: async () => (await import('./commands/sandbox.ts')).up,
  },
  { name: 'sandbox down', summary: 'stop it', load: async () => (await import('./commands/sandbox.ts')).down },
  {
    name: 'sandbox status',
    summary: 'say whether it is up, and where',
    load: async () => (await import('./commands/sandbox.ts')).status,
  },
  {
    name: 'sandbox kubeconfig',
    summary: 'print the path of its kubeconfig',
    load: async () => (await import('./commands/sandbox.ts')).kubeconfig,
  },
  {
    name: 'sandbox fault',
    summary: 'make the pods of a workload slow, failing or unavailable',
    args: [
      ['<workload>', 'NAMESPACE/NAME'],
      ['<fault...>', 'delay=SECONDS, errors=PERCENT, unavailable, or off'],
    ],
    examples: [
      'backstay sandbox fault production/docling-vlm delay=8 errors=60',
      'backstay sandbox fault production/docling-vlm off',
    ],
    load: async () => (await import('./commands/sandbox.ts')).fault,
  },
  {
    name: 'version',
    summary: 'versions of backstay, Node and Pulumi',
    load: async () => (await import('./commands/version.ts')).version,
  },
];
