/**
 * Every error code, once: who is at fault, the exit code (docs/errors.md, conventions of exit codes there), and the
 * default advice. A test keeps this table, docs/errors.md and the uses in src equal, both ways. Never reuse a code.
 */
export interface CodeRow {
  readonly source: 'user' | 'us' | 'environment';
  readonly exit: number;
  readonly summary: string;
  readonly next: string;
}

const row = (source: CodeRow['source'], exit: number, summary: string, next: string): CodeRow => ({
  source,
  exit,
  summary,
  next,
});

export const CODES = {
  USAGE: row('user', 64, 'The command line cannot be understood.', 'Run the command with --help.'),
  CONFIRMATION_NEEDED: row(
    'user',
    64,
    'There is no terminal to ask for confirmation.',
    'Add --yes, or run it in a terminal.',
  ),
  DECLINED: row('user', 1, 'The person asked said no.', 'Nothing was changed.'),
  STACK_UNKNOWN: row('user', 64, 'There is no stack file of that name.', 'Run `backstay stacks` to list the stacks.'),
  STACK_INVALID: row('user', 64, 'A stack file does not fit the schema.', 'Correct the file at the place named.'),
  TARGET_UNKNOWN: row(
    'user',
    64,
    'No snapshot, label or revision answers to that target.',
    'Run `backstay list STACK` to see what there is.',
  ),
  TARGET_AMBIGUOUS: row(
    'user',
    64,
    'More than one snapshot answers to that target.',
    'Give more characters of the id.',
  ),
  TARGET_MISSING: row('user', 64, 'No target was given.', 'Choose one of those listed and pass it with --to.'),
  SNAPSHOT_TAMPERED: row(
    'environment',
    7,
    'A stored snapshot does not match its digest.',
    'Restore the file from version control, or use another snapshot.',
  ),
  SNAPSHOT_UNSIGNED: row(
    'environment',
    7,
    'A snapshot has no signature by a trusted key.',
    'Pass --allow-unsigned if you know where it comes from.',
  ),
  SNAPSHOT_FORMAT: row(
    'environment',
    7,
    'A snapshot is of a newer format than this program knows.',
    'Use a newer backstay.',
  ),
  KEY_MISSING: row(
    'user',
    7,
    'A key that is needed is not at hand.',
    'Set the variable or file that the stack file names.',
  ),
  KEY_EXPOSED: row(
    'user',
    7,
    'A private key file is open to other users of this machine.',
    'Run `chmod 600` on the file named.',
  ),
  MANIFESTS_INVALID: row(
    'user',
    64,
    'A directory of manifests cannot be made into a snapshot.',
    'Correct the files at the places named.',
  ),
  SECRETS_UNREADABLE: row(
    'environment',
    7,
    'The secrets of a snapshot cannot be decrypted.',
    'Provide an age identity that is among its recipients.',
  ),
  CLUSTER_UNREACHABLE: row(
    'environment',
    1,
    'The API server does not answer.',
    'Check the context and the network, then run it again.',
  ),
  CLUSTER_UNAUTHENTICATED: row(
    'environment',
    1,
    'The API server does not accept the credentials.',
    'Log in again, then run it again.',
  ),
  CLUSTER_FORBIDDEN: row(
    'environment',
    1,
    'The credentials may not do this.',
    'Grant the verb and kind named, then run it again.',
  ),
  CLUSTER_MISMATCH: row(
    'environment',
    7,
    'The snapshot belongs to another cluster.',
    'Pass --allow-cluster-mismatch if that is what you want.',
  ),
  KUBECONFIG_INVALID: row(
    'user',
    64,
    'The kubeconfig or the context in it cannot be used.',
    'Check --kubeconfig and --context.',
  ),
  OBJECT_REFUSED: row(
    'environment',
    1,
    'The API server refused an object.',
    'Read its reason; correct the snapshot or the policy.',
  ),
  OBJECT_CONFLICT: row(
    'environment',
    7,
    'Another field manager owns a field that must change.',
    'Declare the field foreign in the stack file, or pass --take.',
  ),
  OBJECT_MOVED: row('environment', 7, 'A live object moved since it was read.', 'Plan again.'),
  KIND_UNKNOWN: row(
    'environment',
    7,
    'The API server does not serve a kind that the target needs.',
    'Install its CRD, or leave the object out of the scope.',
  ),
  IMAGE_UNPULLABLE: row(
    'environment',
    7,
    'An image of the target cannot be pulled.',
    'Push the image again, or choose another target.',
  ),
  IMAGE_UNKNOWN: row(
    'environment',
    7,
    'Nothing says whether an image of the target can be pulled.',
    'Make sure of it, then pass --allow-unknown-images.',
  ),
  PLAN_STALE: row(
    'environment',
    7,
    'The live stack moved since the plan was made.',
    'Plan again and look at what moved.',
  ),
  PLAN_REFUSED: row('user', 7, 'The plan needs a permission that was not given.', 'Add the flag that is named.'),
  CONTEXT_UNCONFIRMED: row(
    'environment',
    7,
    'The precondition of the runbook does not hold.',
    'Read what was found; --emergency skips this check.',
  ),
  LEASE_HELD: row(
    'environment',
    5,
    'Another run holds the stack.',
    'Wait for it, or look at it with `backstay history STACK`.',
  ),
  LEASE_LOST: row('environment', 4, 'The run lost its lease and stopped.', 'Run `backstay resume RUN`.'),
  RUN_UNKNOWN: row('user', 64, 'There is no run of that id.', 'Run `backstay history STACK`.'),
  VALIDATION_FAILED: row(
    'environment',
    4,
    'The target is in place, but a check does not pass there.',
    'Look at the checks, then `backstay resume RUN`.',
  ),
  NOT_EQUAL: row(
    'environment',
    4,
    'Live objects differ from the target after the run.',
    'Look at the differences, then `backstay resume RUN`.',
  ),
  ENGINE_FAILED: row(
    'environment',
    4,
    'The Pulumi engine could not finish the update.',
    'Read its message, then `backstay resume RUN`.',
  ),
  ENDPOINT_UNREACHABLE: row(
    'environment',
    1,
    'An HTTP endpoint outside the API server does not answer.',
    'Check the address and the network.',
  ),
  TARGET_UNRESOLVED: row(
    'user',
    1,
    'The Service, Ingress or address of a hook or check is not there.',
    'Correct the target in the stack file.',
  ),
  HOOK_FAILED: row('environment', 1, 'A hook failed.', 'Read its message.'),
  JOURNAL_BROKEN: row(
    'environment',
    7,
    'The journal is damaged or of a newer format.',
    'Restore it, or name another with BACKSTAY_STATE_DIR.',
  ),
  TOOL_MISSING: row(
    'environment',
    1,
    'A tool that is needed can neither be found nor built.',
    'Install it, or name it in the variable given.',
  ),
  TOOL_BUILD_FAILED: row('environment', 1, 'A tool could not be built.', 'Read the last lines of its output.'),
  SANDBOX_DOWN: row('user', 1, 'The sandbox is not running.', 'Run `backstay sandbox up`.'),
  SANDBOX_FAILED: row('us', 1, 'A part of the sandbox did not start.', 'Read its log in the folder named.'),
  STORAGE_UNWRITABLE: row(
    'environment',
    1,
    'A file or folder cannot be written.',
    'Make room or give the right to write there, then run it again.',
  ),
  TIMEOUT: row('environment', 124, 'The time limit passed.', 'Give it more time with --timeout.'),
  CANCELLED: row('user', 130, 'Stopped by a signal.', 'Run `backstay resume RUN` if a run is named.'),
  INTERNAL: row('us', 1, 'A defect in Backstay.', 'Please report it with the output of `backstay version -o json`.'),
} as const satisfies Record<string, CodeRow>;

export type ErrorCode = keyof typeof CODES;
