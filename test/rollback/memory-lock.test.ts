import { lockContract } from '../contracts/lock.ts';
import { memoryLock } from './memory-lock.ts';

lockContract('memory', async () => {
  const locks = new Map<string, ReturnType<typeof memoryLock>>();
  const of = (stack: string): ReturnType<typeof memoryLock> => {
    const known = locks.get(stack) ?? memoryLock();
    locks.set(stack, known);
    return known;
  };
  let stacks = 0;
  return {
    lock: {
      acquire: async (stack, ...rest) => await of(stack).acquire(stack, ...rest),
      look: async (stack) => await of(stack).look(stack),
    },
    newStack: () => `s-${(stacks += 1)}`,
    dies: async (stack) => of(stack).kill(),
  };
});
