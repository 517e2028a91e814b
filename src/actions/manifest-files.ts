import { LineCounter, parseAllDocuments } from 'yaml';
import { BackstayError } from '../errors/index.ts';
import type { KubeObject } from '../model/index.ts';
import type { ManifestFile } from '../ports/index.ts';

/** Where an object stands, from 1. */
export interface ManifestPlace {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export interface Manifest {
  readonly object: KubeObject;
  readonly place: ManifestPlace;
}

export interface ManifestProblem extends ManifestPlace {
  readonly message: string;
}

export interface ParsedManifests {
  readonly manifests: readonly Manifest[];
  readonly problems: readonly ManifestProblem[];
}

/** Objects of all documents of all files, Lists taken apart, each with its place. Empty documents count for nothing. */
export function parseManifests(files: readonly ManifestFile[]): ParsedManifests {
  const manifests: Manifest[] = [];
  const problems: ManifestProblem[] = [];
  for (const { path, text } of files) {
    const counter = new LineCounter();
    const placeAt = (offset: number): ManifestPlace => {
      const { line, col } = counter.linePos(offset);
      return { file: path, line: Math.max(1, line), column: Math.max(1, col) };
    };
    const documents = parseAllDocuments(text, { lineCounter: counter, prettyErrors: false });
    if (!Array.isArray(documents)) continue;
    for (const document of documents) {
      problems.push(...document.errors.map(({ pos, message }) => ({ ...placeAt(pos[0]), message })));
      if (document.errors.length > 0) continue;
      const value: unknown = document.toJS();
      if (value === null || value === undefined) continue;
      const place = placeAt(document.contents?.range?.[0] ?? 0);
      for (const item of isList(value) ? value.items : [value]) {
        const fault = faultOf(item);
        if (fault !== undefined) problems.push({ ...place, message: fault });
        else manifests.push({ object: item as KubeObject, place });
      }
    }
  }
  return { manifests, problems };
}

/** One MANIFESTS_INVALID for everything that is wrong; `details.problems` holds the list. */
export function manifestsInvalid(problems: readonly ManifestProblem[]): BackstayError {
  const lines = problems.map(({ file, line, column, message }) => `${file}:${line}:${column}: ${message}`);
  const [first] = problems;
  return new BackstayError('MANIFESTS_INVALID', lines.join('\n'), {
    ...(first === undefined ? {} : { at: { file: first.file, line: first.line, column: first.column } }),
    details: { problems },
  });
}

function isList(value: unknown): value is { readonly items: readonly unknown[] } {
  const list = value as { readonly kind?: unknown; readonly items?: unknown };
  return typeof list.kind === 'string' && list.kind.endsWith('List') && Array.isArray(list.items);
}

/** What keeps a value from being an object that an API server could take. Never quotes values. */
function faultOf(value: unknown): string | undefined {
  const { apiVersion, kind, metadata, ...rest } = (isRecord(value) ? value : {}) as Partial<KubeObject>;
  if (typeof apiVersion !== 'string' || typeof kind !== 'string')
    return 'expected a Kubernetes object with apiVersion and kind';
  if (!isRecord(metadata) || typeof metadata.name !== 'string' || metadata.name === '') {
    return `${kind}: expected metadata.name (generated names cannot be compared with anything)`;
  }
  if (metadata.namespace !== undefined && typeof metadata.namespace !== 'string') {
    return `${kind} ${metadata.name}: expected metadata.namespace to be text`;
  }
  return kind === 'Secret' ? secretFault(metadata.name, rest) : undefined;
}

function secretFault(name: string, { data, stringData }: Readonly<Record<string, unknown>>): string | undefined {
  for (const [field, values] of Object.entries({ data, stringData })) {
    if (values === undefined || values === null) continue;
    if (!isRecord(values)) return `Secret ${name}: expected ${field} to be a mapping`;
    const bad = Object.keys(values).find(
      (key) => typeof values[key] !== 'string' || (field === 'data' && !isBase64(values[key])),
    );
    if (bad === undefined) continue;
    return field === 'data'
      ? `Secret ${name}: expected data.${bad} to be base64 (text as it is belongs under stringData)`
      : `Secret ${name}: expected stringData.${bad} to be text (put it in quotes)`;
  }
  return undefined;
}

function isBase64(text: string): boolean {
  return /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text.replace(/\s/g, ''));
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
