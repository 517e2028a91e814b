import type { Faults } from '../../contract.ts';
import type { Metrics } from '../kit/metrics.ts';
import { type Answer, createService, type Env, faultsOf, type Service, type ServiceDeps } from '../kit/service.ts';
import { BadPdf, loadPdfLibrary, type Page, readPdf } from './fragments.ts';

/** What one parser does of its own; the rest is the same for both. */
export interface ParserKind {
  readonly name: string;
  readonly backend: string;
  readonly format: 'markdown' | 'text';
  /** Before the port opens. */
  readonly prepare?: () => void;
  /** Why it cannot work at the moment; undefined when it can. */
  readonly trouble: (faults: Faults) => string | undefined;
  readonly textOf: (pages: readonly Page[]) => string;
  /** `docling_vlm` → `docling_vlm_documents_total`. */
  readonly metricPrefix: string;
}

const LARGEST_PDF = 20 * 1024 * 1024;

/** `POST /v1/parse` with a PDF as the body answers `{backend, format, title, text, pages, words}`. */
export function createParser(kind: ParserKind, metrics: Metrics, env: Env, deps: ServiceDeps): Service {
  const faults = faultsOf(env);
  const random = deps.random ?? Math.random;
  const { name, backend, metricPrefix } = kind;

  const health = (): Answer => {
    const reason = kind.trouble(faults());
    return reason === undefined
      ? { status: 200, body: { status: 'ok', backend } }
      : { status: 503, body: { status: 'unavailable', backend, reason } };
  };

  const parse = async (pdf: Buffer): Promise<Answer> => {
    const { delayMs = 0, errorRate = 0, ...rest } = faults();
    if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
    const reason =
      kind.trouble(rest) ?? (errorRate > 0 && random() < errorRate ? 'inference failed (injected fault)' : undefined);
    if (reason !== undefined) return { status: reason.startsWith('inference') ? 500 : 503, body: { error: reason } };
    try {
      const pages = await readPdf(pdf);
      const text = kind.textOf(pages);
      const title =
        text
          .split('\n', 1)[0]
          ?.replace(/^#+\s*/, '')
          .slice(0, 200) ?? '';
      return {
        status: 200,
        body: { backend, format: kind.format, title, text, pages: pages.length, words: wordCount(text) },
      };
    } catch (error) {
      if (error instanceof BadPdf) return { status: 422, body: { error: `not a readable PDF: ${error.message}` } };
      throw error;
    }
  };

  return createService({
    name,
    env,
    deps,
    metrics,
    // The faults are the model's own here: they are injected where documents are processed, so that they are counted.
    calm: ['/v1/parse'],
    routes: {
      'GET /live': () => ({ status: 200, body: { status: 'ok' } }),
      'GET /health': health,
      'POST /v1/parse': async (ask) => {
        const started = performance.now();
        const answer = await parse(await ask.body(LARGEST_PDF));
        metrics.observe(
          `${metricPrefix}_processing_seconds`,
          'Time a document took.',
          (performance.now() - started) / 1000,
        );
        // A broken document says nothing about the parser.
        const outcome = answer.status === 200 ? 'ok' : answer.status === 422 ? 'rejected' : 'error';
        metrics.count(`${metricPrefix}_documents_total`, 'Documents by result.', { outcome });
        return answer;
      },
    },
    async prepare() {
      kind.prepare?.();
      await loadPdfLibrary();
    },
  });
}

function wordCount(text: string): number {
  return text.match(/[\p{L}\p{N}]+/gu)?.length ?? 0;
}
