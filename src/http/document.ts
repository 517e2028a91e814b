import { VERSION } from '../version.ts';
import type { App } from './context.ts';

/** OpenAPI 3.1, from the schemas that the routes check with. The same that is checked in as docs/openapi.json. */
export function documentOf(app: App): object {
  const { openAPIRegistry } = app;
  if (!openAPIRegistry.definitions.some((one) => one.type === 'component' && one.name === 'bearer'))
    openAPIRegistry.registerComponent('securitySchemes', 'bearer', {
      type: 'http',
      scheme: 'bearer',
      description: 'A token of `backstay token create`, or one of an OIDC issuer that the settings name.',
    });
  return app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Backstay',
      version: VERSION,
      description:
        'Takes whole stacks back. Errors are RFC 9457 problems with a stable `code`; lists have `items` and `next`; changes take an Idempotency-Key. docs/service.md tells more.',
    },
    security: [{ bearer: [] }],
  });
}
