/** Asks once for all keys that are asked for in one go: a reader that looks at many files pays for few round trips. */
export function batched<K, V>(
  load: (keys: readonly K[]) => Promise<ReadonlyMap<K, V>>,
): (key: K) => Promise<V | undefined> {
  let next: { readonly keys: Set<K>; readonly loaded: Promise<ReadonlyMap<K, V>> } | undefined;
  const gather = (): NonNullable<typeof next> => {
    const keys = new Set<K>();
    const loaded = Promise.resolve().then(async () => {
      next = undefined;
      return await load([...keys]);
    });
    return { keys, loaded };
  };
  return async (key) => {
    next ??= gather();
    next.keys.add(key);
    return (await next.loaded).get(key);
  };
}
