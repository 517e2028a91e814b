import type { KubeObject } from '../model/index.ts';
import type { Credentials } from '../ports/index.ts';
import { type Manifest, type ManifestProblem, manifestsInvalid } from './manifest-files.ts';

/** Whatever begins as a placeholder, so that a mistyped one is told instead of becoming a value. */
const PLACEHOLDER = /\$\{credential:([^}]*)(\}?)/g;
const NAME = /^[a-z0-9-]+$/;

/** The names that `${credential:NAME}` asks for in the `stringData` of Secrets, and what keeps them from being filled in. */
export function credentialsNeeded(
  manifests: readonly Manifest[],
  haveCredentials: boolean,
): { readonly names: readonly string[]; readonly problems: readonly ManifestProblem[] } {
  const names = new Set<string>();
  const problems: ManifestProblem[] = [];
  for (const { object, place } of manifests) {
    for (const [key, value] of Object.entries(textsOf(object) ?? {})) {
      for (const [, name = '', end] of value.matchAll(PLACEHOLDER)) {
        const message = `Secret ${object.metadata.name}: stringData.${key}`;
        if (end !== '}' || !NAME.test(name))
          problems.push({ ...place, message: `${message}: expected \${credential:NAME}, NAME of a-z, 0-9 and -` });
        else if (!haveCredentials)
          problems.push({ ...place, message: `${message} needs the credential ${name}, and nothing here makes them` });
        else names.add(name);
      }
    }
  }
  return { names: [...names].sort(), problems };
}

/** The same manifests with every placeholder filled in. Asks once, and only when there is one. */
export async function withCredentials(
  manifests: readonly Manifest[],
  names: readonly string[],
  credentials: Credentials | undefined,
): Promise<readonly Manifest[]> {
  if (names.length === 0 || credentials === undefined) return manifests;
  const values = new Map(Object.entries(await credentials.of(names)));
  return manifests.map((manifest) => {
    const texts = textsOf(manifest.object);
    if (texts === undefined) return manifest;
    const fill = (text: string): string =>
      text.replace(PLACEHOLDER, (_, name: string) => {
        const value = values.get(name);
        if (value !== undefined) return value;
        throw manifestsInvalid([{ ...manifest.place, message: `the credential ${name} could not be made` }]);
      });
    const stringData = Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, fill(text)]));
    return { ...manifest, object: { ...manifest.object, stringData } };
  });
}

function textsOf(object: KubeObject): Readonly<Record<string, string>> | undefined {
  if (object.kind !== 'Secret' || object.apiVersion !== 'v1') return undefined;
  return (object['stringData'] ?? undefined) as Readonly<Record<string, string>> | undefined;
}
