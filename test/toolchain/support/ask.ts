/** A process of its own that asks for the tiny tool: `node ask.ts {recipe, env, cacheDir}`. */
import { ensureFrom } from '../../../src/toolchain/ensure.ts';
import type { RecipeSpec } from '../../../src/toolchain/catalogue.ts';

interface Question {
  readonly recipe: RecipeSpec;
  readonly env: Record<string, string>;
  readonly cacheDir: string;
}

const { recipe, env, cacheDir } = JSON.parse(process.argv[2]!) as Question;
const tiny = {
  name: 'tiny',
  variable: 'BACKSTAY_TINY',
  version: '1.2.3',
  versionArgs: ['--version'],
  versionPattern: /^tiny version (\S+)/m,
  willDo: () => true,
  willDoNamed: () => true,
  wanted: 'any',
  inAssets: false,
  recipe: 'tiny',
  goPackage: 'backstay.dev/tiny',
};
const found = await ensureFrom({ tools: [tiny], recipes: [recipe] }, ['tiny'], { env, cacheDir });
process.stdout.write(JSON.stringify(found.get('tiny')));
