import { BackstayError } from '../../errors/index.ts';
import type { MigrationSetting } from '../../model/index.ts';
import type { Cluster, MigrationDatabase } from '../../ports/index.ts';
import { runningPod } from './pods.ts';
import { assertThere, type Runner, type RunResult, type Wanted, withSecrets } from './runner.ts';
import { APPLICATION, SERVER_OPTIONS } from './tool.ts';

export interface PodRunnerOptions {
  readonly cluster: () => Promise<Cluster>;
  readonly database: MigrationDatabase;
  readonly runs: Extract<MigrationSetting['runs'], { readonly kind: 'pod' }>;
  /** Where the workload is, unless the setting says otherwise. */
  readonly namespace: string;
  readonly wanted: Wanted;
}

/** No address to point elsewhere. */
const NO_ADDRESS = 121;

/**
 * The pod's own address of the database stays in the pod: only the database's name is exchanged in it, and limits are
 * added. Arguments of an exec are seen by many (audit logs of the API server), so no password may be among them.
 */
const PREPARE = `
folder=$1 database=$2 variable=$3 query=$4
shift 4
if [ -n "$folder" ]; then cd "$folder" || exit 126; fi
export PGAPPNAME='${APPLICATION}' PGOPTIONS='${SERVER_OPTIONS}' PGCONNECT_TIMEOUT=10
eval "url=\\\${$variable-}"
if [ -n "$database" ]; then
  if [ -z "$url" ] && [ -z "\${PGDATABASE-}" ]; then exit ${NO_ADDRESS}; fi
  export PGDATABASE="$database"
fi
if [ -n "$url" ]; then
  asked=
  case $url in *\\?*) asked=\${url#*\\?} url=\${url%%\\?*} ;; esac
  if [ -n "$database" ]; then url=\${url%/*}/$database; fi
  if [ -n "$query" ]; then asked=\${asked:+$asked&}$query; fi
  export "$variable=$url\${asked:+?$asked}"
fi
exec "$@"
`.trim();

const NEXT =
  'Name the program in the stack file (migrations.command), or another container (migrations.runs.container).';

/** Inside a running pod of a workload, which knows the way down from its own schema. */
export function createPodRunner({ cluster, database, runs, namespace, wanted }: PodRunnerOptions): Runner {
  const home = runs.namespace ?? namespace;
  return {
    kind: 'pod',
    run: async (command, { where, timeoutMs, program = command[0] ?? '', signal }): Promise<RunResult> => {
      const { variable, form } = wanted;
      const connected = await cluster();
      const { pod, container } = await runningPod(connected, { ...runs, namespace: home });
      const limit = AbortSignal.timeout(timeoutMs);
      const settings = [runs.folder ?? '', where.database ?? '', variable, form.query];
      try {
        const ran = await connected.exec({
          namespace: home,
          pod,
          container,
          command: ['sh', '-c', PREPARE, 'sh', ...settings, ...command],
          signal: signal === undefined ? limit : AbortSignal.any([limit, signal]),
        });
        // The pod's own password may be another; what is known of it is hidden, and what looks like one.
        const result = withSecrets(ran, await database.address(where));
        assertThere(result, program, `in container ${container} of pod ${pod}`, NEXT);
        if (result.exitCode === NO_ADDRESS) throw noAddress(variable, pod);
        return result;
      } catch (error) {
        if (!limit.aborted || signal?.aborted === true) throw error;
        throw new BackstayError('TIMEOUT', `${program} did not end within ${timeoutMs} ms in pod ${pod}.`, {
          cause: error,
        });
      }
    },
  };
}

function noAddress(variable: string, pod: string): BackstayError {
  return new BackstayError(
    'MIGRATION_REFUSED',
    `Pod ${pod} has neither ${variable} nor PGDATABASE, so its migrations cannot be pointed at another database.`,
    { next: 'Name the variable that its database address is in (migrations.urlVariable).' },
  );
}
