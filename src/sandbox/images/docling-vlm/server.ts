import { Metrics } from '../kit/metrics.ts';
import { type Env, faultsOf, type Service, type ServiceDeps } from '../kit/service.ts';
import { createParser } from '../pdf/parser-service.ts';
import { markdownOf } from './markdown.ts';
import { loadModel } from './model.ts';

/** docling-vlm: Markdown from a page's layout, by a model without which it answers 503. */
export function createDocling(env: Env, deps: ServiceDeps = {}): Service {
  const found = loadModel(env['DOCLING_MODEL'] ?? 'layout-1');
  const metrics = new Metrics();
  const faults = faultsOf(env);
  const trouble = (unavailable: boolean | undefined): string | undefined => {
    if (!found.loaded) return found.reason;
    return unavailable === true ? 'the model is not loaded (injected fault)' : undefined;
  };
  // A fault may take the model away at any time.
  metrics.atScrape(() =>
    metrics.gauge(
      'docling_vlm_model_loaded',
      '1 while the model is loaded.',
      trouble(faults().unavailable) === undefined ? 1 : 0,
    ),
  );
  return createParser(
    {
      name: 'docling-vlm',
      backend: 'docling',
      format: 'markdown',
      metricPrefix: 'docling_vlm',
      trouble: ({ unavailable }) => trouble(unavailable),
      textOf: (pages) => (found.loaded ? markdownOf(pages, found.model) : ''),
    },
    metrics,
    env,
    deps,
  );
}
