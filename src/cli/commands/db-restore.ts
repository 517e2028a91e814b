import { planDbRestore } from '../../actions/db-restore.ts';
import type { CommandRun } from '../commands.ts';
import { onInvalidOf, planOptionsOf } from '../plan-options.ts';
import { carryAcross } from '../transition.ts';

export const restore: CommandRun = async (invocation) => {
  const [stack = '', backup = '', store] = invocation.args;
  const options = planOptionsOf(invocation.options, false);
  const withoutCluster = invocation.options['databaseLease'] === true;
  const request = {
    backup,
    options,
    withoutCluster,
    all: invocation.options['all'] === true,
    ...onInvalidOf(invocation.options),
    ...(store === undefined ? {} : { store }),
  };
  let said = `backup ${backup}`;
  return await carryAcross(invocation, {
    stack,
    what: `A restore of ${stack}`,
    options,
    plan: async ({ composition, deps, requireFinished }) => {
      if (!withoutCluster) await requireFinished();
      const dataStores = async () => await composition.dataStores();
      const { plan, identity } = await planDbRestore(request, { ...deps, dataStores });
      ({ said } = plan.target);
      const { databaseLease: holder } = plan.options;
      if (holder !== undefined) await requireFinished(async () => await composition.databaseLock(holder));
      return { kind: 'planned', plan, identity };
    },
    question: (where) => `Take the data of ${stack} on ${where} to ${said}?`,
  });
};
