import { readFile } from 'node:fs/promises';
import { basename, extname, resolve } from 'node:path';
import type { JsonObject } from '../model/index.ts';
import { findTarget, tryAsk } from './ask.ts';
import type { CheckOf, Measure } from './context.ts';
import { wordSimilarity } from './similarity.ts';

type Document = CheckOf<'canary'>['documents'][number];

interface Sent {
  readonly file: string;
  readonly problem?: string;
  readonly similarity?: number;
  readonly backend?: string;
}

/**
 * Sends known documents through and compares what comes back with what was recorded when all was well. A document or
 * recording that cannot be read is unknown: it says nothing about the service.
 */
export const measureCanary: Measure<'canary'> = async (setting, context) => {
  const found = await findTarget(setting.target, context);
  const sent: Sent[] = [];
  for (const document of setting.documents) {
    const body = await readFile(resolve(context.baseDir, document.file));
    const recorded = await readRecorded(resolve(context.baseDir, document.recorded));
    const answer = await tryAsk(found, {
      method: 'POST',
      headers: { 'content-type': setting.contentType, 'x-document-name': basename(document.file) },
      body,
      timeoutMs: setting.timeoutMs,
      signal: context.signal,
    });
    sent.push(await compare(document, answer, recorded, setting));
  }
  const problems = sent.filter(({ problem }) => problem !== undefined);
  const measured = { documents: sent.map(asJson) };
  if (sent.length === 0) return { verdict: 'unknown', reason: 'the check names no documents', measured };
  if (problems.length > 0) {
    return {
      verdict: 'fail',
      reason: problems.map(({ file, problem }) => `${file}: ${problem ?? ''}`).join('; '),
      measured,
    };
  }
  const by = setting.backend === undefined ? '' : ` by ${setting.backend}`;
  const least = Math.min(...sent.map(({ similarity }) => similarity ?? 0));
  return {
    verdict: 'pass',
    reason: `${sent.length} documents processed${by}, ${percent(least)} alike or better`,
    measured,
  };
};

async function compare(
  { file }: Document,
  answer: Awaited<ReturnType<typeof tryAsk>>,
  recorded: string,
  { backend: wanted, minSimilarity }: CheckOf<'canary'>,
): Promise<Sent> {
  const name = basename(file);
  if (typeof answer === 'string') return { file: name, problem: answer };
  if (answer.status < 200 || answer.status >= 300) return { file: name, problem: `answered ${answer.status}` };
  const { text, backend } = readAnswer(answer.body);
  if (text === undefined) return { file: name, problem: 'the answer has no text' };
  const similarity = await wordSimilarity(recorded, text);
  const found = { file: name, similarity, ...(backend === undefined ? {} : { backend }) };
  if (wanted !== undefined && backend !== wanted) {
    return { ...found, problem: `processed by ${backend ?? 'an unnamed backend'}, expected ${wanted}` };
  }
  if (similarity >= minSimilarity) return found;
  return { ...found, problem: `${percent(similarity)} alike, expected ${percent(minSimilarity)}` };
}

function readAnswer(body: string): { readonly text?: string; readonly backend?: string } {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    return {};
  }
  const { text, backend } = (parsed ?? {}) as { text?: unknown; backend?: unknown };
  return { ...(typeof text === 'string' ? { text } : {}), ...(typeof backend === 'string' ? { backend } : {}) };
}

/** Plain text, or the `text` of a recorded JSON answer. */
async function readRecorded(file: string): Promise<string> {
  const content = await readFile(file, 'utf8');
  if (extname(file) !== '.json') return content;
  const { text } = readAnswer(content);
  if (text === undefined) throw new TypeError(`${file} has no text`);
  return text;
}

function asJson({ file, problem, similarity, backend }: Sent): JsonObject {
  return {
    file,
    ...(problem === undefined ? {} : { problem }),
    ...(similarity === undefined ? {} : { similarity: Math.round(similarity * 1_000) / 1_000 }),
    ...(backend === undefined ? {} : { backend }),
  };
}

function percent(share: number): string {
  return `${Math.floor(share * 100)} %`;
}
