/**
 * The whole proof: lint, format, types, dead code, tests. Every step runs even when an earlier one failed, so that one
 * run says everything. With arguments only the tests that they name: `npm test -- test/plan`.
 */
import { spawn } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { judgeBudget, parseBudget } from './test-budget.ts';
import { failedFiles, failures, mergeReports, type TestReport } from './test-report.ts';

const root = join(import.meta.dirname, '..');
const report = join(root, '.backstay', 'test-report.json');

interface Step {
  readonly name: string;
  readonly command: readonly string[];
}

/**
 * Where a handful of files failed, they are run once more and named: on a shared machine a server may come up late once
 * in some thousand tests. More than that is a defect, and no second try would make it one less.
 */
const SECOND_TRY_FILES = 5;

const only = process.argv.slice(2);
const vitestInto = (path: string) => [
  'vitest',
  'run',
  '--reporter=default',
  '--reporter=json',
  `--outputFile.json=${path}`,
];
const vitest = vitestInto(report);
const tools: Step = { name: 'tools', command: ['node', join(root, 'scripts', 'tools.ts')] };
const all: readonly Step[] = [
  { name: 'lint', command: ['oxlint', '--type-aware', '--deny-warnings'] },
  { name: 'format', command: ['biome', 'format', '.'] },
  { name: 'types', command: ['tsc', '-p', '.'] },
  { name: 'types of the page', command: ['tsc', '-p', join(root, 'src', 'web')] },
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
  let code = await run(step.command);
  if (code !== 0 && step.command === vitest) code = await secondTry(code);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  times.push(`${step.name} ${seconds} s`);
  if (code !== 0) failed.push(step.name);
}
const outcome = await readReport(report);
const again = outcome?.secondTry ?? [];
if (again.length > 0) console.log(`\n── failed at first, and run again\n${again.join('\n')}`);
if (only.length === 0) {
  if (outcome !== undefined && failedFiles(outcome).length > 0)
    console.log(`\n── failed\n${failures(outcome, root).join('\n')}`);
  const budget = parseBudget(await readFile(join(root, 'test', 'budget.json'), 'utf8'));
  const verdict = judgeBudget(outcome ?? { testResults: [] }, budget, root);
  console.log(`\n── time of the tests\n${verdict.lines.join('\n')}`);
  if (!verdict.within) failed.push('time budget');
}
console.log(`\n${times.join(', ')}`);
const passed = again.length === 0 ? 'everything passed' : `everything passed, ${again.length} only at the second try`;
console.log(failed.length === 0 ? passed : `FAILED: ${failed.join(', ')}`);
process.exitCode = failed.length === 0 ? 0 : 1;

/** Runs the files again in which something failed, if they are few, and writes one report of both; the exit code. */
async function secondTry(code: number): Promise<number> {
  const first = await readReport(report);
  const files = first === undefined ? [] : failedFiles(first);
  if (first === undefined || files.length === 0 || files.length > SECOND_TRY_FILES) return code;
  console.log(`\n── second try: ${files.map((file) => relative(root, file)).join(' ')}`);
  const path = join(root, '.backstay', 'test-report-second.json');
  await rm(path, { force: true });
  const again = await run([...vitestInto(path), ...files]);
  const second = await readReport(path);
  if (second === undefined) return code;
  await writeFile(report, JSON.stringify(mergeReports(first, second, root)));
  return again;
}

async function readReport(path: string): Promise<TestReport | undefined> {
  return readFile(path, 'utf8').then(JSON.parse, () => undefined);
}

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
