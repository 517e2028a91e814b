import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ARROWS, environmentReads, filesBelow, unitOf, violations } from './support/arrows.ts';

const src = join(import.meta.dirname, '..', '..', 'src');
const files = filesBelow(src);

/** Settings come in at the rim; below it the environment is a parameter. */
const MAY_READ_ENVIRONMENT = [
  /^config\//,
  /^toolchain\//,
  /^cli\//,
  // Entry points of processes of their own.
  /^sandbox\/(.+\/)?(main|index)\.ts$/,
  /^program\/index\.ts$/,
  /^plugin-main\.ts$/,
];

describe('the arrows between the folders of src', () => {
  it('are kept by every file', () => {
    expect(violations(files)).toEqual([]);
  });

  it('cover every folder there is', () => {
    const units = readdirSync(src).flatMap((name) =>
      name === 'adapters' ? readdirSync(join(src, name)).map((adapter) => `adapters/${adapter}`) : [name],
    );
    const known = (unit: string) => unit in ARROWS || (unit.startsWith('adapters/') && !unit.endsWith('.ts'));
    expect(units.filter((unit) => !known(unit))).toEqual([]);
  });

  it('lead nowhere in a circle', () => {
    const reaches = (from: string, to: string, seen = new Set<string>()): boolean =>
      (ARROWS[from] ?? ARROWS['adapters/*']!).some((next) => {
        if (next === to) return true;
        if (seen.has(next)) return false;
        seen.add(next);
        return reaches(next, to, seen);
      });
    expect(Object.keys(ARROWS).filter((unit) => reaches(unit, unit))).toEqual([]);
  });
});

describe('the check of the arrows itself', () => {
  it.each([
    [
      'actions/capture/index.ts',
      `import { x } from '../../adapters/fs/store.ts';`,
      'actions may not import adapters/fs',
    ],
    [
      'adapters/pulumi/engine.ts',
      `import { x } from '../kubernetes/transport.ts';`,
      'may not import adapters/kubernetes',
    ],
    ['model/plan.ts', `import type { X } from '../ports/engine.ts';`, 'model may not import ports'],
    ['model/plan.ts', `export { x } from '../errors/index.ts';`, 'model may not import errors'],
    ['cli/main.ts', `const lazy = await import('../adapters/pulumi/engine.ts');`, 'cli may not import adapters/pulumi'],
    ['cli/main.ts', `import * as pulumi from '@pulumi/pulumi';`, 'cli may not import @pulumi/pulumi'],
    ['toolchain/x.ts', `import '@pulumi/kubernetes';`, 'toolchain may not import @pulumi/kubernetes'],
    [
      'sandbox/x.ts',
      `import { KubeConfig } from '@kubernetes/client-node';`,
      'sandbox may not import @kubernetes/client-node',
    ],
    ['model/x.ts', `import x from '../../scripts/demo.ts';`, 'reaches out of src'],
    ['gadgets/x.ts', '', 'gadgets is not in the table'],
    ['web/x.ts', `import { PHASES } from '../model/phase.ts';`, 'web may not import model'],
    ['web/x.ts', `import { type Phase } from '../model/phase.ts';`, 'web may not import model'],
    ['web/x.ts', `export { PHASES } from '../model/phase.ts';`, 'web may not import model'],
    ['web/x.ts', `export * from '../model/phase.ts';`, 'web may not import model'],
    ['web/x.ts', `import '../model/phase.ts';`, 'web may not import model'],
    ['web/x.ts', `const late = await import('../model/phase.ts');`, 'web may not import model'],
    [
      'web/x.tsx',
      `import type { Phase } from '../model/phase.ts';\nimport { PHASES } from '../model/phase.ts';`,
      'web may not import model',
    ],
    ['web/x.ts', `import type { RunView } from '../service/run-view.ts';`, 'web may not import service'],
    ['model/x.ts', `import type { X } from '../web/types.ts';`, 'model may not import web'],
  ])('sees in %s the violation %s', (path, text, message) => {
    expect(violations([{ path, text }])).toEqual([expect.stringContaining(message)]);
  });

  it.each([
    ['compose.ts', `import { x } from './adapters/fs/store.ts'; import { y } from './actions/index.ts';`],
    ['adapters/fs/store.ts', `import type { X } from '../../ports/index.ts'; import { z } from './other.ts';`],
    ['toolchain/x.ts', `const { PulumiCommand } = await import('@pulumi/pulumi/automation/index.js');`],
    ['cli/main.ts', `// import { x } from '../adapters/fs/store.ts';`],
    ['cli/main.ts', `import { VERSION } from '../version.ts';`],
    ['web/x.ts', `import type { Phase } from '../model/phase.ts';\nexport type { Plan } from '../model/plan.ts';`],
    ['web/x.ts', `import type * as nouns from '../model/index.ts';\nimport { y } from './other.ts';`],
  ])('lets %s do %s', (path, text) => {
    expect(violations([{ path, text }])).toEqual([]);
  });

  it('gives each adapter a name of its own', () => {
    expect(unitOf('adapters/kubernetes/watch/index.ts')).toBe('adapters/kubernetes');
    expect(unitOf('compose.ts')).toBe('compose.ts');
  });
});

describe('the environment', () => {
  it('is read at the rim only', () => {
    const readers = files
      .filter(({ path }) => !MAY_READ_ENVIRONMENT.some((pattern) => pattern.test(path)))
      .flatMap((file) => environmentReads(file).map((line) => `${file.path}:${line}`));
    expect(readers).toEqual([]);
  });

  it('is noticed where it is read, and not where it is only spoken of', () => {
    const text = `// process.env\nconst said = 'process.env';\nconst home = process.env['HOME'];\nconst { PATH } = process.env;\n`;
    expect(environmentReads({ path: 'plan/x.ts', text })).toEqual([3, 4]);
  });
});
