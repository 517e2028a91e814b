import { Metrics } from '../kit/metrics.ts';
import type { Env, Service, ServiceDeps } from '../kit/service.ts';
import { createParser } from '../pdf/parser-service.ts';
import { plainText } from '../pdf/plain-text.ts';

/** mineru-parser: plain text, line by line; needs no model. */
export function createMineru(env: Env, deps: ServiceDeps = {}): Service {
  return createParser(
    {
      name: 'mineru-parser',
      backend: 'mineru',
      format: 'text',
      metricPrefix: 'mineru',
      trouble: ({ unavailable }) => (unavailable === true ? 'the parser is unavailable (injected fault)' : undefined),
      textOf: plainText,
    },
    new Metrics(),
    env,
    deps,
  );
}
