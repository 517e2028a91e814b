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
  for (const definition of openAPIRegistry.definitions) tellOptional(definition, new Set());
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

interface SchemaLike {
  readonly def: { readonly type: string };
  safeParse: (value: unknown) => { readonly success: boolean };
}

/**
 * The generator takes what refuses `undefined` for required, and `exactOptional()` does: JSON has no such value, only keys that
 * are absent. So those say yes when they are asked by themselves, which only the generator does; what checks requests
 * goes through the object around them.
 */
function tellOptional(part: unknown, seen: Set<object>): void {
  if (typeof part !== 'object' || part === null || seen.has(part)) return;
  seen.add(part);
  if (isSchema(part)) {
    if (part.def.type === 'optional') {
      const ask = part.safeParse;
      part.safeParse = (value) => (value === undefined ? { success: true } : ask(value));
    }
    tellOptional(part.def, seen);
    return;
  }
  for (const inner of Object.values(part)) tellOptional(inner, seen);
}

function isSchema(part: object): part is SchemaLike {
  return '_zod' in part && 'def' in part;
}
