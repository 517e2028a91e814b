import { backUpPast, targetOf } from '../../actions/db-past.ts';
import { planDbRestore } from '../../actions/db-restore.ts';
import { chooseStore } from '../../actions/db.ts';
import type { Composition } from '../../compose.ts';
import { BackstayError } from '../../errors/index.ts';
import { describeTarget, type RecoveryTarget } from '../../model/index.ts';
import type { CommandRun, Invocation } from '../commands.ts';
import { onInvalidOf, pastAsked, planOptionsOf } from '../plan-options.ts';
import { carryAcross } from '../transition.ts';
import { stoppable, tablesOf } from './db.ts';

export const restore: CommandRun = async (invocation) => {
  const { stack, backup, store, past } = argumentsOf(invocation);
  const options = planOptionsOf(invocation.options, false);
  const withoutCluster = invocation.options['databaseLease'] === true;
  const request = {
    backup,
    options,
    withoutCluster,
    all: invocation.options['all'] === true,
    ...tablesOf(invocation.options),
    preserveNewData: invocation.options['preserveNewData'] === true,
    ...inPlaceOf(invocation),
    ...onInvalidOf(invocation.options),
    ...(store === undefined ? {} : { store }),
  };
  let said = past === undefined ? `backup ${backup}` : describeTarget(past);
  return await carryAcross(invocation, {
    stack,
    what: `A restore of ${stack}`,
    options,
    plan: async ({ composition, deps, requireFinished }) => {
      if (!withoutCluster) await requireFinished();
      const dataStores = async () => await composition.dataStores();
      const found = past === undefined ? {} : { backup: await recovered(invocation, composition, past, store) };
      const { plan, identity } = await planDbRestore({ ...request, ...found }, { ...deps, dataStores });
      ({ said } = plan.target);
      const { databaseLease: holder } = plan.options;
      if (holder !== undefined) await requireFinished(async () => await composition.databaseLock(holder));
      return { kind: 'planned', plan, identity };
    },
    question: (where) => `Take the data of ${stack} on ${where} to ${said}?`,
  });
};

/** @throws USAGE */
function inPlaceOf({ options }: Invocation): { readonly inPlace: boolean; readonly readOnlyProof: boolean } {
  const [inPlace, readOnlyProof] = [options['inPlace'] === true, options['trial'] === false];
  const others = ['tables', 'preserveNewData', 'all'].filter(
    (name) => options[name] !== undefined && options[name] !== false,
  );
  if (inPlace && others.length > 0)
    throw new BackstayError(
      'USAGE',
      '--in-place goes with one whole store: not with --tables, --preserve-new-data or --all.',
    );
  if (!inPlace && readOnlyProof) throw new BackstayError('USAGE', '--no-trial goes with --in-place.');
  return { inPlace, readOnlyProof };
}

interface Arguments {
  readonly stack: string;
  /** Empty with `past`, from which it is made. */
  readonly backup: string;
  readonly store?: string;
  readonly past?: RecoveryTarget;
}

/** With a moment of the past there is no backup to be named. @throws USAGE */
function argumentsOf({ args, options }: Invocation): Arguments {
  const [stack = '', second, third] = args;
  const past = targetOf(pastAsked(options, 'toTime', 'toRestorePoint'));
  if (past !== undefined && (third !== undefined || options['all'] === true))
    throw new BackstayError('USAGE', 'A backup and a moment of the past were given; one store goes to one of them.', {
      next: 'Leave the backup out: `backstay db restore STACK --to-time TIME STORE`.',
    });
  if (past !== undefined) return { stack, backup: '', past, ...(second === undefined ? {} : { store: second }) };
  if (second === undefined)
    throw new BackstayError('USAGE', 'It is not said what to restore.', {
      next: 'Name a backup, or `latest`, or a moment with --to-time.',
    });
  return { stack, backup: second, ...(third === undefined ? {} : { store: third }) };
}

/** Recovers a copy at that moment and makes a backup of it, which is then restored as any other. The live data is not touched. */
async function recovered(
  invocation: Invocation,
  composition: Composition,
  past: RecoveryTarget,
  name: string | undefined,
): Promise<string> {
  const store = chooseStore(await composition.dataStores(), name, composition.stack.name);
  const { backup } = await stoppable(invocation, async (signal) => {
    invocation.terminal.note(`recovering a copy of ${store.setting.name} at ${describeTarget(past)} …`);
    return await backUpPast(store, past, { prove: 'read', signal });
  });
  return backup.manifest.id;
}
