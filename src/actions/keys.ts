import type { InitKeys, KeyFolder } from '../ports/index.ts';

export interface InitStackKeysOptions {
  readonly stack: string;
  /** Where the stack file says its keys are (config: keyFolderOf). */
  readonly directory: string;
  /** Names the signing key, such as `anna@laptop`. */
  readonly owner: string;
}

export interface StackKeys extends KeyFolder {
  readonly kind: 'made' | 'already-there';
  /** YAML to put into the stack file, so that others encrypt to and trust these keys, too. */
  readonly shared: string;
}

/** Makes the keys of a stack, or says which are there. Never overwrites one. */
export async function initStackKeys(
  options: InitStackKeysOptions,
  deps: { readonly initKeys: InitKeys },
): Promise<StackKeys> {
  const folder = await deps.initKeys(options.stack, options.directory, options.owner);
  const shared = [
    'backstay:secrets:',
    `  recipients: [${folder.recipient}]`,
    'backstay:signing:',
    `  trusted: [{name: ${JSON.stringify(folder.trusted.name)}, publicKey: ${folder.trusted.publicKey}}]`,
  ];
  return { ...folder, kind: folder.created.length === 0 ? 'already-there' : 'made', shared: shared.join('\n') };
}
