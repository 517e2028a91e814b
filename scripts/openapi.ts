/** Writes docs/openapi.json from the routes: `npm run docs:openapi`. A test keeps the two equal. */
import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createApp } from '../src/http/app.ts';
import { type HttpDeps, REQUEST_LIMITS } from '../src/http/context.ts';
import { documentOf } from '../src/http/document.ts';

/** The description needs no service: none of its routes is asked anything. */
export function openApiText(): string {
  const deps = {
    service: { clock: { monotonic: () => 0 } },
    limits: REQUEST_LIMITS,
    front: { secure: false },
  } as unknown as HttpDeps;
  return `${JSON.stringify(documentOf(createApp(deps)), null, 2)}\n`;
}

if (import.meta.main) {
  const file = join(import.meta.dirname, '..', 'docs', 'openapi.json');
  await writeFile(file, openApiText());
  execFileSync('biome', ['format', '--write', file], { stdio: 'ignore' });
}
