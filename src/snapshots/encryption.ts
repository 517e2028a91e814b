import { BackstayError } from '../errors/index.ts';
import type { ObjectKey } from '../model/index.ts';
import type { SecretValues } from '../ports/index.ts';

/** What is inside the age file. */
interface Envelope {
  readonly format: 1;
  readonly values: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** One age file for all recipients. Errors: KEY_MISSING without recipients. */
export async function encryptSecrets(secrets: SecretValues, recipients: readonly string[]): Promise<Uint8Array> {
  if (recipients.length === 0) {
    throw new BackstayError('KEY_MISSING', 'The stack names no age recipients, so its Secrets cannot be stored.', {
      next: 'Run `backstay keys init STACK`, or add backstay:secrets.recipients to the stack file.',
    });
  }
  const { Encrypter } = await import('age-encryption');
  const encrypter = new Encrypter();
  for (const recipient of recipients) {
    try {
      encrypter.addRecipient(recipient);
    } catch (cause) {
      throw new BackstayError('KEY_MISSING', `${recipient} is not an age recipient.`, { cause });
    }
  }
  const envelope: Envelope = { format: 1, values: Object.fromEntries(secrets) };
  return encrypter.encrypt(JSON.stringify(envelope));
}

/** Errors: SECRETS_UNREADABLE when no identity fits; SNAPSHOT_FORMAT; KEY_MISSING when the text holds no identity. */
export async function decryptSecrets(
  bytes: Uint8Array,
  identityText: string,
  recipients: readonly string[],
): Promise<SecretValues> {
  const { Decrypter } = await import('age-encryption');
  const decrypter = new Decrypter();
  for (const identity of identitiesIn(identityText)) {
    try {
      decrypter.addIdentity(identity);
    } catch {
      // The library's message may quote the identity: it goes nowhere.
      throw new BackstayError('KEY_MISSING', 'The age identity at hand is not a valid one.');
    }
  }
  let text: string;
  try {
    text = await decrypter.decrypt(bytes, 'text');
  } catch (cause) {
    throw new BackstayError(
      'SECRETS_UNREADABLE',
      `The identity at hand is none of the recipients: ${recipients.join(', ')}.`,
      {
        details: { recipients },
        cause,
      },
    );
  }
  const envelope = JSON.parse(text) as Envelope;
  if (envelope.format !== 1) {
    throw new BackstayError(
      'SNAPSHOT_FORMAT',
      `The secrets are of format ${String(envelope.format)}; this program knows 1.`,
    );
  }
  return new Map(Object.entries(envelope.values).map(([key, values]) => [key as ObjectKey, values]));
}

/** Whether one of the identities is among the recipients. Errors as decryptSecrets. */
export async function proveIdentity(identityText: string, recipients: readonly string[]): Promise<void> {
  const probe = await encryptSecrets(new Map(), recipients);
  await decryptSecrets(probe, identityText, recipients);
}

function identitiesIn(text: string): string[] {
  const identities = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  if (identities.length === 0)
    throw new BackstayError('KEY_MISSING', 'There is no age identity where one is expected.');
  return identities;
}
