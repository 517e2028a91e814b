/**
 * The whole proof: lint, format, types, dead code, tests. Every step runs even when an earlier one failed, so that one
 * run says everything. With arguments only the tests that they name: `npm test -- test/plan`.
 */
import { spawn } from 'node:child_process';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { judgeBudget, parseBudget } from './test-budget.ts';

const root = join(import.meta.dirname, '..');
const report = join(root, '.backstay', 'test-report.json');

interface Step {
  readonly name: string;
  readonly command: readonly string[];
}

const only = process.argv.slice(2);
const vitest = ['vitest', 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
const tools: Step = { name: 'tools', command: ['node', join(root, 'scripts', 'tools.ts')] };
const all: readonly Step[] = [
  { name: 'lint', command: ['oxlint', '--type-aware', '--deny-warnings'] },
  { name: 'format', command: ['biome', 'format', '.'] },
  { name: 'types', command: ['tsc', '-p', '.'] },
  { name: 'dead code', command: ['knip'] },
  tools,
  { name: 'tests', command: vitest },
];
const steps = only.length === 0 ? all : [tools, { name: 'tests', command: [...vitest, ...only] }];

await mkdir(join(root, '.backstay'), { recursive: true });
await rm(report, { force: true });
const failed: string[] = [];
const times: string[] = [];
for (const step of steps) {
  const started = performance.now();
  console.log(`\n── ${step.name}: ${step.command.filter((word) => !word.includes(root)).join(' ')}`);
  const code = await run(step.command);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  times.push(`${step.name} ${seconds} s`);
  if (code !== 0) failed.push(step.name);
}
if (only.length === 0) {
  const verdict = judgeBudget(
    JSON.parse(await readFile(report, 'utf8').catch(() => '{"testResults":[]}')),
    parseBudget(await readFile(join(root, 'test', 'budget.json'), 'utf8')),
    root,
  );
  console.log(`\n── time of the tests\n${verdict.lines.join('\n')}`);
  if (!verdict.within) failed.push('time budget');
}
console.log(`\n${times.join(', ')}`);
console.log(failed.length === 0 ? 'everything passed' : `FAILED: ${failed.join(', ')}`);
process.exitCode = failed.length === 0 ? 0 : 1;

/** Runs with our terminal; the exit code, or 1 when the step cannot be started or a signal ended it. */
function run([command, ...args]: readonly string[]): Promise<number> {
  return new Promise((resolve) => {
    const child = spawn(join(root, 'node_modules', '.bin', command!), args, { cwd: root, stdio: 'inherit' });
    const forward = () => child.kill('SIGTERM');
    process.once('SIGTERM', forward);
    child.once('error', (error) => {
      console.error(`${command} cannot be started: ${error.message}`);
      resolve(1);
    });
    child.once('close', (code) => {
      process.removeListener('SIGTERM', forward);
      resolve(code ?? 1);
    });
  });
}
