import { readFileSync } from 'node:fs';
import { request } from 'node:http';

export interface Upload {
  readonly status: number;
  readonly backend?: string;
  readonly words: number;
  readonly ms: number;
}

const PDF = new URL('../examples/medical-kg/canaries/', import.meta.url);
/** A user's patience: a document that takes longer counts as lost. */
const PATIENCE_MS = 15_000;

/** A user sends a PDF to the public address of the stack. Never throws: what went wrong is what the user sees. */
export function upload(ingress: string, file = 'canary-one.pdf'): Promise<Upload> {
  const body = readFileSync(new URL(file, PDF));
  const [host, port] = ingress.split(':');
  const begin = performance.now();
  return new Promise((resolve) => {
    const done = (status: number, text: string): void => {
      const ms = performance.now() - begin;
      let answer: { backend?: string; text?: string } = {};
      if (text.startsWith('{')) answer = JSON.parse(text) as typeof answer;
      resolve({
        status,
        ms,
        words: (answer.text ?? '').split(/\s+/).filter(Boolean).length,
        ...(answer.backend ? { backend: answer.backend } : {}),
      });
    };
    const outgoing = request(
      {
        host,
        port,
        path: '/api/v1/documents',
        method: 'POST',
        timeout: PATIENCE_MS,
        headers: { host: 'api.medical-kg.example', 'content-type': 'application/pdf', 'content-length': body.length },
      },
      (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => (text += chunk.toString()));
        response.on('end', () => done(response.statusCode ?? 0, text));
      },
    );
    outgoing.on('timeout', () => outgoing.destroy(new TypeError('timeout')));
    outgoing.on('error', () => done(0, ''));
    outgoing.end(body);
  });
}

/** Documents as a user sees them in the list. */
export interface Library {
  readonly documents: number;
  /** Documents that search does not find any more. */
  readonly lost: number;
}

/** A user looks at the list of documents. Throws when there is none to see. */
export async function library(ingress: string): Promise<Library> {
  const text = await ask(ingress, 'GET', '/api/v1/documents');
  const { documents } = JSON.parse(text) as { documents: readonly { chunks: number }[] };
  return { documents: documents.length, lost: documents.filter(({ chunks }) => chunks === 0).length };
}

/** What the nightly job of v1.3.0 does. */
export async function reindex(ingress: string): Promise<void> {
  await ask(ingress, 'POST', '/api/v1/documents/reindex');
}

async function ask(ingress: string, method: string, path: string): Promise<string> {
  const [host, port] = ingress.split(':');
  return await new Promise((resolve, reject) => {
    const headers = { host: 'api.medical-kg.example' };
    const outgoing = request({ host, port, path, method, timeout: PATIENCE_MS, headers }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () =>
        response.statusCode === 200
          ? resolve(text)
          : reject(new TypeError(`${method} ${path} answered ${response.statusCode}: ${text}`)),
      );
    });
    outgoing.on('timeout', () => outgoing.destroy(new TypeError(`${method} ${path}: no answer`)));
    outgoing.on('error', reject);
    outgoing.end();
  });
}

export function describeLibrary({ documents, lost }: Library): string {
  return `${documents} documents, ${lost === 0 ? 'all of them whole' : `${lost} of them emptied`}`;
}

export function describeUpload(upload: Upload): string {
  const time = `${(upload.ms / 1000).toFixed(1)} s`;
  if (upload.status === 0) return `no answer within ${time}`;
  if (upload.status >= 300) return `HTTP ${upload.status} after ${time}`;
  return `HTTP ${upload.status} by ${upload.backend ?? 'unknown'}, ${upload.words} words, ${time}`;
}
