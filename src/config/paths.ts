import { isAbsolute, join, resolve } from 'node:path';
import type { Environment } from './environment.ts';

/** A path as people write it: `~` and `$XDG_*_HOME` are known, and the rest is relative to `base`. Returns it absolute. */
export function expandPath(path: string, base: string, environment: Environment): string {
  const variables: Readonly<Record<string, string>> = {
    XDG_CONFIG_HOME: environment.xdg.config,
    XDG_DATA_HOME: environment.xdg.data,
    XDG_STATE_HOME: environment.xdg.state,
    XDG_CACHE_HOME: environment.xdg.cache,
    HOME: environment.home,
  };
  const expanded = path
    .replace(/^~(?=\/|$)/, environment.home)
    .replace(/^\$(?:\{(\w+)\}|(\w+))(?=\/|$)/, (whole, braced: string | undefined, bare: string | undefined) => {
      return variables[braced ?? bare ?? ''] ?? whole;
    });
  return isAbsolute(expanded) ? expanded : resolve(join(base, expanded));
}
