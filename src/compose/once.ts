/** One for each key. */
export function memoized<K, V>(make: (key: K) => V): (key: K) => V {
  const made = new Map<K, V>();
  return (key) => {
    const there = made.get(key) ?? make(key);
    made.set(key, there);
    return there;
  };
}

/** Made when it is first asked for. What could not be made is made anew by the next who asks: a pod may be ready by then. */
export function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return async () => {
    const asked = (made ??= make());
    try {
      return await asked;
    } catch (error) {
      if (made === asked) made = undefined;
      throw error;
    }
  };
}
