import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { BackstayError } from '../errors/index.ts';
import { KEY_FILES, type Stack } from '../model/index.ts';
import type { Environment } from './environment.ts';

/** Where the keys of a stack are unless its file says otherwise: `$XDG_CONFIG_HOME/backstay/keys/<stack>`. */
export function defaultKeyFolder(environment: Environment, stack: string): string {
  return join(environment.configDir, 'keys', stack);
}

const trustedSchema = z.array(
  z.strictObject({ name: z.string().min(1), publicKey: z.string().regex(/^[A-Za-z0-9_-]{43}$/) }),
);

/** The public files of a key folder. Absent ones give empty lists; what needs a key says so when it is needed. */
export async function readPublicKeys(
  folder: string,
): Promise<{ readonly recipients: readonly string[]; readonly trusted: Stack['signing']['trusted'] }> {
  const recipientsFile = join(folder, KEY_FILES.recipients);
  const trustedFile = join(folder, KEY_FILES.trusted);
  const [recipientLines, trustedText] = await Promise.all([readIfThere(recipientsFile), readIfThere(trustedFile)]);
  return {
    recipients: parseRecipients(recipientsFile, recipientLines ?? ''),
    trusted: parseTrusted(trustedFile, trustedText),
  };
}

function parseRecipients(file: string, text: string): string[] {
  const recipients: string[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    const entry = line.trim();
    if (entry === '' || entry.startsWith('#')) continue;
    if (!/^age1[a-z0-9]{20,}$/.test(entry)) {
      throw new BackstayError('STACK_INVALID', `${file}:${index + 1}: expected an age recipient (age1…)`, {
        at: { file, line: index + 1, column: 1 },
      });
    }
    recipients.push(entry);
  }
  return recipients;
}

function parseTrusted(file: string, text: string | undefined): Stack['signing']['trusted'] {
  if (text === undefined) return [];
  try {
    return trustedSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new BackstayError('STACK_INVALID', `${file}: expected JSON of the form [{"name": …, "publicKey": …}]`, {
      at: { file },
      cause,
    });
  }
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new BackstayError('STACK_INVALID', `${file} cannot be read`, { at: { file }, cause });
  }
}
