import { BackstayError } from '../errors/index.ts';
import { type Digest, isDigest, type KubeObject, type SnapshotContent, type SnapshotRecord } from '../model/index.ts';
import { tampered } from './blobs.ts';

export const API_VERSION = 'backstay.dev/v1';

/** A JSON document of ours, or undefined for bytes that are none (an age file). Throws SNAPSHOT_FORMAT for a newer one. */
export function parseDocument(bytes: Buffer, path: string): { readonly kind: string } | undefined {
  if (bytes[0] !== 0x7b) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
  const { apiVersion, kind } = value as { readonly apiVersion?: unknown; readonly kind?: unknown };
  if (typeof apiVersion !== 'string' || typeof kind !== 'string') return undefined;
  if (apiVersion !== API_VERSION) {
    throw new BackstayError('SNAPSHOT_FORMAT', `${path} is ${apiVersion} ${kind}; this program knows ${API_VERSION}.`, {
      at: { file: path },
      details: { path, apiVersion, known: API_VERSION },
    });
  }
  return value as { readonly kind: string };
}

/** Throws SNAPSHOT_TAMPERED when the document is no record of this stack. Its digest has been checked before. */
export function asRecord(value: unknown, stack: string, path: string): SnapshotRecord {
  const record = value as Partial<SnapshotRecord> | undefined;
  const sound =
    record?.kind === 'SnapshotRecord' &&
    typeof record.id === 'string' &&
    isDigest(record.id) &&
    typeof record.capturedAt === 'string' &&
    isTexts(record.labels) &&
    Array.isArray(record.checks) &&
    (record.secrets === undefined || (isDigest(record.secrets.blob) && isTexts(record.secrets.recipients)));
  if (!sound) throw tampered(path, 'is not a snapshot record', {});
  if (record.stack !== stack)
    throw tampered(path, `is a record of the stack ${String(record.stack)}, not of ${stack}`, {});
  return record as SnapshotRecord;
}

/** Throws SNAPSHOT_TAMPERED when the document is no content of this stack. */
export function asContent(value: unknown, stack: string, path: string): SnapshotContent {
  const content = value as Partial<SnapshotContent> | undefined;
  const sound = content?.kind === 'SnapshotContent' && isTexts(content.namespaces) && Array.isArray(content.objects);
  if (!sound || !content.objects?.every(isObject)) throw tampered(path, 'is not a snapshot content', {});
  if (content.stack !== stack)
    throw tampered(path, `is a content of the stack ${String(content.stack)}, not of ${stack}`, {});
  return content as SnapshotContent;
}

/** Which digests a record needs beside itself. */
export function neededBy(record: SnapshotRecord): readonly Digest[] {
  return [record.id, ...(record.secrets === undefined ? [] : [record.secrets.blob])];
}

function isObject(value: unknown): value is KubeObject {
  const object = value as Partial<KubeObject> | null;
  return (
    typeof object === 'object' &&
    object !== null &&
    typeof object.apiVersion === 'string' &&
    typeof object.kind === 'string' &&
    typeof object.metadata?.name === 'string'
  );
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}
