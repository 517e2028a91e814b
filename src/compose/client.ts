import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createClient, type ServiceClient } from '../client/index.ts';
import { readEnvironment, type Variables } from '../config/index.ts';
import { BackstayError, isBackstayError } from '../errors/index.ts';
import type { Archive, PrivateFiles } from '../ports/index.ts';
import { VERSION } from '../version.ts';

/**
 * A service, asked with the token of $BACKSTAY_TOKEN, else of the file of $BACKSTAY_TOKEN_FILE, else of the file that has the
 * service's host as its name in `tokens` of the configuration folder. A file is read before each request: it may be renewed.
 * @throws USAGE for an address that cannot be used; each request KEY_EXPOSED, KEY_MISSING
 */
export async function openClient(
  server: string,
  { env, cwd }: { readonly env: Variables; readonly cwd: string },
): Promise<ServiceClient> {
  const { remote, configDir } = readEnvironment(env, cwd);
  const own = join(configDir, 'tokens', hostOf(server));
  const file = remote.tokenFile ?? ((await isThere(own)) ? own : undefined);
  const source = remote.hasToken ? { env: 'BACKSTAY_TOKEN' } : file === undefined ? undefined : { file };
  return createClient({
    server,
    userAgent: `backstay/${VERSION}`,
    allowPlainHttp: remote.plainHttp,
    ...(source === undefined ? {} : { token: async () => await tokenOf(source, env) }),
  });
}

async function tokenOf(source: { readonly env: string } | { readonly file: string }, env: Variables): Promise<string> {
  const { createKeyReader } = await import('../adapters/fs/index.ts');
  try {
    return await createKeyReader(env).read(source);
  } catch (error) {
    if (!isBackstayError(error, 'KEY_MISSING')) throw error;
    throw new BackstayError('KEY_MISSING', error.message, {
      next: 'A token is made by `backstay token create` where the service is.',
      details: error.details,
      cause: error,
    });
  }
}

/** What a command needs beside the service: it writes what it fetched, and looks into it. */
export async function openTools(): Promise<{ readonly files: PrivateFiles; readonly archive: () => Promise<Archive> }> {
  const { createPrivateFiles } = await import('../adapters/system/index.ts');
  return {
    files: createPrivateFiles(),
    archive: async () => (await import('../adapters/archive/index.ts')).createArchive(),
  };
}

/** A colon is no part of a file's name everywhere. */
function hostOf(server: string): string {
  return (URL.parse(server)?.host ?? 'none').replaceAll(/[:[\]]/g, '_');
}

async function isThere(file: string): Promise<boolean> {
  try {
    return (await stat(file)).isFile();
  } catch {
    return false;
  }
}
