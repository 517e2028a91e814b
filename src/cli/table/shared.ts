/** Arguments and flags that several commands have. */
export const STACK = ['<stack>', 'name of a stack file: stacks/Pulumi.<stack>.yaml'] as const;
export const STORE = ['[store]', 'name of a data store; the only one needs none'] as const;
export const TO = ['--to <target>', 'snapshot id, label, previous, known-good, or deployment/NAME@REVISION'] as const;
export const SCOPE = [
  '--scope <scope>',
  'full, application, workers, config, flags, traffic, database, infrastructure, or workload names with commas',
] as const;

/** Permissions that change what a plan may do; the same for `diff` and `rollback`. */
export const PERMISSIONS = [
  ['--allow-unsigned', 'accept a snapshot without a trusted signature'],
  ['--allow-cluster-mismatch', 'accept a snapshot of another cluster'],
  ['--allow-unknown-images', 'go on with images that no node is known to have (--emergency implies it)'],
  ['--exact-replicas', 'lower replicas below live when the target has fewer'],
  ['--take <managers>', 'take over the fields of these controllers (commas)'],
  ['--force-replace <objects>', 'delete and create again instead of changing in place: KIND/NAME (commas)'],
  ['--delete-protected', 'also delete PVCs, namespaces, CRDs and data-store workloads that the target lacks'],
] as const;

/** What becomes of the data stores in a rollback. */
const DATA = [
  [
    '--scenario <choice>',
    'A (leave the data alone), B (migrate it) or C (restore it) instead of what the plan chooses; also STORE=A,STORE=C (needs --reason)',
  ],
  [
    '--restore <backups>',
    'STORE=BACKUP with commas: restore these as well (an id, latest, or @TIME or @RESTORE-POINT of the past)',
  ],
  ['--restore-all <marker>', 'restore every store to the backups that `db backup --all` took together'],
  ['--skip-database-backup', 'migrate without a backup and without a rehearsal (needs --reason; journaled)'],
  [
    '--accept-data-loss <digests>',
    'of the reports that were read (`db rehearse` tells them): a migration may lose that',
  ],
] as const;

/** Flags of `rollback` and `apply`; the older names are Paperless' script's. */
export const TRANSITION = [
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
  ...DATA,
  ...PERMISSIONS,
] as const;

/** Flags of `approve` and `deny`. */
export const APPROVAL = [
  ['--reason <text>', 'why; `deny` needs it'],
  ['--plan <hash>', 'decide only about the plan with this hash (12 digits or more)'],
  ['-y, --yes', 'do not ask'],
] as const;

/** Flags of a transition, without those that begin so. */
const without = (...left: readonly string[]) =>
  TRANSITION.filter(([flags]) => !left.some((one) => flags.startsWith(`--${one}`)));

const OF_A_TARGET = [
  'to <',
  'target-version',
  'scope',
  'list-versions',
  'create-backup',
  'out',
  'plan',
  'replan',
] as const;

/** Flags of `undo`: those of a transition whose target and scope are given. */
export const UNDO = without(...OF_A_TARGET, 'abandon', 'trigger');

/** Flags of a restore, which changes no object of the stack. */
export const RESTORE = without(
  ...OF_A_TARGET,
  'validate-after',
  'force-',
  'allow-unsigned',
  'allow-unknown-images',
  'exact-replicas',
  'take',
  'delete-protected',
  'scenario',
  'restore',
  'skip-database-backup',
  'accept-data-loss',
);

/** Flags of a backup of every store, which is a run that stops what writes. */
export const BACKUP_ALL = RESTORE.filter(([flags]) =>
  [
    '--dry-run',
    '--emergency',
    '--reason',
    '--incident',
    '--severity',
    '--break-glass',
    '--wait',
    '--timeout',
    '-y,',
  ].some((one) => flags.startsWith(one)),
);
