import { planBackupAll } from '../../actions/db-backup-all.ts';
import { BackstayError } from '../../errors/index.ts';
import type { CommandRun } from '../commands.ts';
import { planOptionsOf } from '../plan-options.ts';
import { carryAcross } from '../transition.ts';

/** Every store at one moment, in a run: what it stops comes back, also when it is killed. */
export const backupAll: CommandRun = async (invocation) => {
  const [stack = '', store] = invocation.args;
  if (store !== undefined) throw new BackstayError('USAGE', `--all backs up every store: leave ${store} out.`);
  if (invocation.options['restore'] === false)
    throw new BackstayError('USAGE', '--all proves every backup when all is taken: leave --no-restore out.');
  const options = planOptionsOf(invocation.options, false);
  return await carryAcross(invocation, {
    stack,
    what: `A backup of all of ${stack}`,
    options,
    plan: async ({ composition, deps, requireFinished }) => {
      await requireFinished();
      const dataStores = async () => await composition.dataStores();
      const { plan, identity } = await planBackupAll({ options }, { ...deps, dataStores });
      return { kind: 'planned', plan, identity };
    },
    question: (where) => `Stop what writes to the data of ${stack} on ${where}, and back it up?`,
  });
};
