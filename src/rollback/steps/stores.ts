import { BackstayError } from '../../errors/index.ts';
import type { DataStore, Migrations } from '../../ports/index.ts';
import type { StepContext } from '../executor.ts';

/** @throws STORE_UNKNOWN when the stack file does not declare it any more */
export async function storeOf(name: string, { deps }: Pick<StepContext, 'deps'>): Promise<DataStore> {
  const found = (await deps.dataStores()).find(({ setting }) => setting.name === name);
  if (found !== undefined) return found;
  throw new BackstayError('STORE_UNKNOWN', `the stack file declares no data store ${name} any more`, {
    next: 'Declare it again as it was, then resume.',
  });
}

/** @throws STORE_UNKNOWN when the stack file does not say any more how it is migrated */
export async function migrationsOf(name: string, context: Pick<StepContext, 'deps'>): Promise<Migrations> {
  const found = await migrationsIfAny(name, context);
  if (found !== undefined) return found;
  throw new BackstayError('STORE_UNKNOWN', `the stack file does not say any more how ${name} is migrated`, {
    next: 'Declare its `migrations` again as they were, then resume.',
  });
}

export async function migrationsIfAny(
  name: string,
  { deps }: Pick<StepContext, 'deps'>,
): Promise<Migrations | undefined> {
  return (await deps.migrations?.())?.find(({ store }) => store === name);
}
