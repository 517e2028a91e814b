import { isBackstayError } from '../../errors/index.ts';
import type { Exec, MigrationDatabase } from '../../ports/index.ts';
import { known, libpqEnvironment } from './address.ts';
import { assertThere, type Runner, type Wanted, withSecrets } from './runner.ts';

/** What a tool writes in answer to a question is read whole; histories of thousands of revisions are long. */
const KEPT_BYTES = 16 * 1024 * 1024;

export interface LocalRunnerOptions {
  readonly exec: Exec;
  readonly database: MigrationDatabase;
  readonly folder: string;
  readonly wanted: Wanted;
}

/** On this machine, in the folder of the migrations. */
export function createLocalRunner({ exec, database, folder, wanted }: LocalRunnerOptions): Runner {
  return {
    kind: 'local',
    run: async (command, { where, timeoutMs, program = command[0] ?? '', signal }) => {
      const address = await database.address(where);
      const env = {
        ...libpqEnvironment(address),
        ...known({ ...wanted.form.beside(address), [wanted.variable]: wanted.form.url(address) }),
      };
      const options = {
        env,
        cwd: folder,
        timeoutMs,
        keepBytes: KEPT_BYTES,
        ...(signal === undefined ? {} : { signal }),
      };
      const ran = await exec.run(command, options).catch((error: unknown) => {
        // A program that cannot be started is one that is not there.
        if (isBackstayError(error) && error.code === 'HOOK_FAILED')
          return { exitCode: 127, stdout: '', stderr: error.message };
        throw error;
      });
      const result = withSecrets(ran, address);
      assertThere(result, program, `in ${folder}`, 'Install it, or name it in the stack file (migrations.command).');
      return result;
    },
  };
}
