import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openApiText } from '../../scripts/openapi.ts';

interface Operation {
  readonly summary?: string;
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, unknown>> }>>;
  readonly requestBody?: {
    readonly required?: boolean;
    readonly content: Readonly<Record<string, { readonly schema: { readonly required?: readonly string[] } }>>;
  };
}
const text = openApiText();
const { openapi, paths } = JSON.parse(text) as {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
};
const operations = Object.entries(paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ name: `${method} ${path}`, operation })),
);

describe('the description of the API', () => {
  it('is what docs/openapi.json holds (npm run docs:openapi writes it)', () => {
    // Compared as values: the formatter has its own way with short lists.
    expect(JSON.parse(readFileSync(join(import.meta.dirname, '../../docs/openapi.json'), 'utf8'))).toEqual(
      JSON.parse(text),
    );
    expect(openapi).toMatch(/^3\.1/);
  });

  it('says of every operation what it is for, and how it fails', () => {
    expect(operations.length).toBeGreaterThan(20);
    expect(operations.filter(({ operation }) => (operation.summary ?? '') === '').map(({ name }) => name)).toEqual([]);
    const silent = operations.filter(
      ({ operation }) => operation.responses['4XX']?.content?.['application/problem+json'] === undefined,
    );
    expect(silent.map(({ name }) => name)).toEqual([]);
  });

  it('lets a body be left out only where an empty one fits: it is not checked then', () => {
    const optional = operations.filter(({ operation: { requestBody } }) => {
      if (requestBody === undefined || requestBody.required === true) return false;
      return Object.values(requestBody.content).some(({ schema }) => (schema.required ?? []).length > 0);
    });
    expect(optional.map(({ name }) => name)).toEqual([]);
  });
});
