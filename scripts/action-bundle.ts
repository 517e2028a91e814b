/** Makes the GitHub Action's one file, as a release carries it: `node scripts/action-bundle.ts [FOLDER]`, by default action/dist. */
import { join, resolve } from 'node:path';
import { build } from 'vite';

const root = resolve(import.meta.dirname, '..');

/** Writes `index.js` into the folder, with every package inside: a runner has Node and nothing else. */
export async function bundleAction(folder: string): Promise<string> {
  await build({
    root,
    configFile: false,
    logLevel: 'warn',
    publicDir: false,
    ssr: { noExternal: true },
    build: {
      ssr: join(root, 'action', 'src', 'main.ts'),
      outDir: folder,
      emptyOutDir: false,
      target: 'node24',
      minify: false,
      rollupOptions: { output: { format: 'es', entryFileNames: 'index.js', codeSplitting: false } },
    },
  });
  return join(folder, 'index.js');
}

if (process.argv[1] === import.meta.filename)
  console.log(await bundleAction(resolve(process.argv[2] ?? join(root, 'action', 'dist'))));
