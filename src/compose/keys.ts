import type { InitKeys } from '../ports/index.ts';

/** Makes the key files of a stack (the action decides what to say about them). */
export const initKeys: InitKeys = async (stack, directory, owner) => {
  const fs = await import('../adapters/fs/index.ts');
  return await fs.initKeys(stack, directory, owner);
};
