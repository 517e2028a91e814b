import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { findTool } from '../../src/toolchain/index.ts';
import { PROJECT } from '../support/backstay.ts';

const FILE = join('.github', 'workflows', 'rollback.yml');
const text = readFileSync(join(PROJECT, FILE), 'utf8');

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
  readonly if?: string;
}
interface Workflow {
  readonly on: {
    readonly workflow_dispatch: { readonly inputs: object };
    readonly workflow_call: { readonly inputs: object };
  };
  readonly permissions: object;
  readonly jobs: {
    readonly rollback: { readonly environment: string; readonly permissions: object; readonly steps: readonly Step[] };
  };
}
const workflow = parse(text) as Workflow;
const { rollback } = workflow.jobs;

describe('the rollback workflow', () => {
  let actionlint: string;
  beforeAll(async () => {
    ({ path: actionlint } = await findTool('actionlint'));
  }, 300_000);

  const lint = async (file: string, cwd = PROJECT): Promise<string> => {
    // Shell is looked at below; the runner of tests has no shellcheck.
    const args = ['-no-color', '-shellcheck=', '-pyflakes=', file];
    return await promisify(execFile)(actionlint, args, { cwd }).then(
      ({ stdout }) => stdout,
      (error: { readonly stdout: string }) => error.stdout,
    );
  };

  it('passes actionlint, with the action that it uses', async () => {
    expect(await lint(FILE)).toBe('');
  });

  it('would not pass it with an input put into a shell', async () => {
    const { mkdtemp, mkdir, rm, writeFile } = await import('node:fs/promises');
    const { tmpdir } = await import('node:os');
    const folder = await mkdtemp(join(tmpdir(), 'backstay-workflow-'));
    try {
      await mkdir(join(folder, '.github', 'workflows'), { recursive: true });
      const bad = text.replace('set -eu', 'set -eu; echo ${{ github.event.issue.title }}');
      expect(bad).not.toBe(text);
      await writeFile(join(folder, FILE), bad);
      expect(await lint(FILE, folder)).toContain('potentially untrusted');
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  it('puts nothing that somebody typed into a shell', () => {
    const shells = rollback.steps.flatMap(({ run }) => (run === undefined ? [] : [run]));
    expect(shells.length).toBeGreaterThan(0);
    for (const shell of shells) expect(shell).not.toContain('${{');
  });

  it('pins what others wrote by its commit', () => {
    const used = rollback.steps.flatMap(({ uses }) => (uses === undefined || uses.startsWith('./') ? [] : [uses]));
    expect(used.length).toBeGreaterThan(0);
    for (const one of used) expect(one).toMatch(/^[\w-]+\/[\w./-]+@[0-9a-f]{40}$/);
  });

  it('has its credentials from the environment that was chosen, and no lasting ones', () => {
    expect(rollback.environment).toBe('${{ inputs.environment }}');
    expect(rollback.permissions).toEqual({ contents: 'read', 'id-token': 'write' });
    expect(workflow.permissions).toEqual({});
    expect(text).not.toMatch(/kubeconfig:|KUBE_CONFIG/i);
    expect([...text.matchAll(/secrets\.(\w+)/g)].map(([, name]) => name)).toEqual(['NOTIFY_WEBHOOK']);
  });

  it('says the same inputs to the action as it takes, by hand and from another workflow', () => {
    const called = Object.keys(workflow.on.workflow_call.inputs);
    const typed = Object.keys(workflow.on.workflow_dispatch.inputs);
    expect(called.filter((name) => !name.startsWith('backstay_'))).toEqual(typed);
    const action = rollback.steps.find(({ uses }) => uses === './.backstay/action');
    const { inputs } = parse(readFileSync(join(PROJECT, 'action', 'action.yml'), 'utf8')) as { inputs: object };
    const given = Object.keys(action?.with ?? {});
    expect(given.filter((name) => !(name in inputs))).toEqual([]);
    for (const name of typed) expect(given).toContain(name);
  });

  it('tells people whatever happened', () => {
    expect(rollback.steps.at(-1)?.if).toBe('${{ always() }}');
  });

  it('tells them in words that no reason can break out of', async () => {
    const { fakeService } = await import('../client/fake-service.ts');
    const { mkdtemp, rm } = await import('node:fs/promises');
    const { tmpdir } = await import('node:os');
    const folder = await mkdtemp(join(tmpdir(), 'backstay-notify-'));
    const service = await fakeService((_asked, response) => response.end('ok'));
    try {
      const script = rollback.steps.at(-1)?.run ?? '';
      const reason = `it "is" $(touch ${join(folder, 'broken')}) \\ \n{"text":"no"}`;
      const env = {
        PATH: process.env['PATH'] ?? '',
        GITHUB_STEP_SUMMARY: join(folder, 'summary'),
        WEBHOOK: `${service.url}/hook/secret`,
        ENVIRONMENT: 'production',
        KIND: 'application',
        OUTCOME: 'mixed',
        RUN: 'r1',
        REASON: reason,
        LINK: 'https://example/1',
      };
      await promisify(execFile)('bash', ['-c', script], { env, cwd: folder });
      expect(JSON.parse(service.asked[0]?.body ?? '')).toEqual({
        text: `Rollback of production (application): mixed, run r1. ${reason} https://example/1`,
      });
      const { readdirSync } = await import('node:fs');
      expect(readdirSync(folder)).toEqual(['summary']);
    } finally {
      await service.close();
      await rm(folder, { recursive: true, force: true });
    }
  });
});
