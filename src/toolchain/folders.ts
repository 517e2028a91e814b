import { delimiter, isAbsolute, join } from 'node:path';
import { BackstayError } from '../errors/index.ts';
import { programSize } from './find.ts';

/** Programs of one version that are taken from one folder together. */
export interface FolderRequest<T> {
  /** The variable that names their folder. */
  readonly variable: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What is wrong with the folder when it will not do: `where there is no …`. */
  readonly lacking: string;
  /** Undefined where they are not, or not as they have to be. */
  readonly toolsIn: (folder: string) => Promise<T | undefined>;
}

/**
 * In the folder that the variable names, which must do, else in the first of PATH that does; undefined where there is none.
 * Error: TOOL_MISSING naming the variable.
 */
export async function findTogether<T>({ variable, env, lacking, toolsIn }: FolderRequest<T>): Promise<T | undefined> {
  const named = env[variable];
  if (named !== undefined && named !== '') {
    const tools = await toolsIn(named);
    if (tools !== undefined) return tools;
    throw new BackstayError('TOOL_MISSING', `${variable} names ${named}, ${lacking}`, {
      next: 'Correct it, or unset it to let Backstay find them itself.',
    });
  }
  for (const folder of (env['PATH'] ?? '').split(delimiter).filter(isAbsolute)) {
    const tools = await toolsIn(folder);
    if (tools !== undefined) return tools;
  }
  return undefined;
}

/** Paths of the programs there; undefined unless each can be run. */
export async function programsIn<const N extends readonly string[]>(
  folder: string,
  names: N,
): Promise<{ readonly [K in keyof N]: string } | undefined> {
  const paths = names.map((name) => join(folder, name));
  for (const path of paths) if ((await programSize(path)) === undefined) return undefined;
  return paths as unknown as { readonly [K in keyof N]: string };
}
