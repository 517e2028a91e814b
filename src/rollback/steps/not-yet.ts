/** Placeholder while its executor is being written; goes before this lands. */
export const notYet = async (): Promise<never> => {
  throw new TypeError('this kind of step has no executor yet');
};
