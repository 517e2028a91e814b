/** Writes stacks/schema.json from the schema in src/config/schema.ts. Run it after changing that file. */
import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { stackFileJsonSchema } from '../src/config/json-schema.ts';

const file = fileURLToPath(new URL('../stacks/schema.json', import.meta.url));
await writeFile(file, `${JSON.stringify(stackFileJsonSchema(), null, 2)}\n`);
execFileSync('biome', ['format', '--write', file], { stdio: 'ignore' });
process.stderr.write(`${file} written\n`);
