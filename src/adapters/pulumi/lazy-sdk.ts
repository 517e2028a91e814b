import { createRequire, Module } from 'node:module';

/**
 * What the SDK loads for turning functions into text (dynamic providers, mocks), which no program of ours does: more than
 * half of the time that importing the SDK takes. By the names under which the SDK requires them.
 */
const SELDOM = ['@npmcli/arborist', 'typescript'] as const;

/**
 * Puts off loading those modules until something of them is used; then they are loaded as ever. To be called before the SDK
 * is imported. Where one of them is not found, the SDK's own require says so.
 */
export function deferSeldomModules(): void {
  const ours = createRequire(import.meta.url);
  const theirs = createRequire(ours.resolve('@pulumi/pulumi/package.json'));
  for (const name of SELDOM) {
    const path = resolved(theirs, name);
    if (path === undefined || theirs.cache[path] !== undefined) continue;
    const placeholder = new Module(path);
    placeholder.filename = path;
    placeholder.loaded = true;
    placeholder.exports = lazily(() => {
      if (theirs.cache[path] === placeholder) delete theirs.cache[path];
      return theirs(name) as object;
    });
    theirs.cache[path] = placeholder;
  }
}

function resolved(require: NodeJS.Require, name: string): string | undefined {
  try {
    return require.resolve(name);
  } catch {
    return undefined;
  }
}

/** Stands for an object that is made when something of it is asked for. */
function lazily(load: () => object): object {
  let made: object | undefined;
  const real = (): object => (made ??= load());
  return new Proxy(
    {},
    {
      get: (_, name) => (name === '__esModule' ? true : (Reflect.get(real(), name) as unknown)),
      has: (_, name) => Reflect.has(real(), name),
    },
  );
}
