import { readFile, stat } from 'node:fs/promises';
import { BackstayError } from '../../errors/index.ts';
import type { KeyReader } from '../../ports/index.ts';

/** Group may read (a mounted Kubernetes Secret with fsGroup is 0640); nothing else may be open. */
const OPEN_TO_OTHERS = 0o027;

/**
 * Reads keys from environment variables and files. Errors: KEY_MISSING naming the variable or file; KEY_EXPOSED when other
 * users of the machine could read or change the file. Surrounding white space is dropped.
 */
export function createKeyReader(env: Readonly<Record<string, string | undefined>>): KeyReader {
  return {
    async read(source) {
      if ('env' in source) {
        const value = env[source.env]?.trim();
        if (value === undefined || value === '') {
          throw new BackstayError(
            'KEY_MISSING',
            `The environment variable ${source.env} is not set, and a key is expected in it.`,
            {
              details: { env: source.env },
            },
          );
        }
        return value;
      }
      return readKeyFile(source.file);
    },
  };
}

async function readKeyFile(file: string): Promise<string> {
  try {
    const { mode } = await stat(file);
    if (process.platform !== 'win32' && (mode & OPEN_TO_OTHERS) !== 0) {
      throw new BackstayError(
        'KEY_EXPOSED',
        `${file} holds a private key and has mode ${(mode & 0o777).toString(8).padStart(4, '0')}.`,
        {
          next: `Run \`chmod 600 ${file}\`, and think about whether the key was read by someone else.`,
          at: { file },
        },
      );
    }
    const text = (await readFile(file, 'utf8')).trim();
    if (text !== '') return text;
  } catch (cause) {
    if (cause instanceof BackstayError) throw cause;
    const reason = (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'does not exist' : 'cannot be read';
    throw new BackstayError('KEY_MISSING', `The key file ${file} ${reason}.`, {
      next: 'Run `backstay keys init STACK`, or copy the file from where the team keeps it.',
      at: { file },
      details: { file },
      cause,
    });
  }
  throw new BackstayError('KEY_MISSING', `The key file ${file} is empty.`, { at: { file }, details: { file } });
}
