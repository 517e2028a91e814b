import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const LAZY = fileURLToPath(new URL('../../../src/adapters/pulumi/lazy-sdk.ts', import.meta.url));

/** A process of its own each: what a process has loaded stays loaded. */
async function evaluate(program: string): Promise<unknown> {
  const script = `
    import { createRequire } from 'node:module';
    import { deferSeldomModules } from ${JSON.stringify(LAZY)};
    const require = createRequire(${JSON.stringify(LAZY)});
    const loaded = (name) => Object.keys(require.cache).filter((path) => path.includes('/node_modules/' + name + '/')).length;
    ${program}`;
  const args = ['--disable-warning=ExperimentalWarning', '--input-type=module', '--eval', script];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: import.meta.dirname });
  return JSON.parse(stdout) as unknown;
}

test('the SDK comes without what turns functions into text', async () => {
  const sdk = `const { LocalWorkspace } = await import('@pulumi/pulumi/automation/index.js');`;
  const tell = `console.log(JSON.stringify([typeof LocalWorkspace, loaded('typescript'), loaded('@npmcli/arborist')]));`;
  // One each: the placeholder itself.
  expect(await evaluate(`deferSeldomModules(); ${sdk} ${tell}`)).toEqual(['function', 1, 1]);
  const [, typescript, arborist] = (await evaluate(`${sdk} ${tell}`)) as [string, number, number];
  expect(typescript + arborist, 'nothing is spared any more: lazy-sdk.ts can go').toBeGreaterThan(10);
});

test('what was put off is loaded when something of it is used', async () => {
  const program = `
    deferSeldomModules();
    const { runtime } = await import('@pulumi/pulumi/index.js').then((sdk) => sdk.default);
    const { text } = await runtime.serializeFunction(() => 6 * 7);
    console.log(JSON.stringify([loaded('typescript') > 0, text.includes('6 * 7')]));`;
  expect(await evaluate(program)).toEqual([true, true]);
});
