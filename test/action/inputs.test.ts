import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { readInputs } from '../../action/src/inputs.ts';
import { githubRunner } from '../../action/src/runner.ts';
import { PROJECT } from '../support/backstay.ts';

const SERVERS = 'staging=https://staging.example\nproduction = https://production.example/backstay\n';

const given = (inputs: Readonly<Record<string, string>>) =>
  readInputs(
    Object.fromEntries(
      Object.entries({ environment: 'staging', server: SERVERS, ...inputs }).map(([name, value]) => [
        `INPUT_${name.toUpperCase()}`,
        value,
      ]),
    ),
  );

describe('the inputs of the action', () => {
  it.each([
    ['staging', 'https://staging.example', 'backstay-staging'],
    ['production', 'https://production.example/backstay', 'backstay-production'],
  ])('choose server, stack and audience of %s, and of no other', (environment, server, audience) => {
    expect(given({ environment })).toMatchObject({ environment, server, audience, stack: environment });
  });

  it.each([
    ['application', { kind: 'application' }],
    ['database', { kind: 'database' }],
    ['infrastructure', { kind: 'infrastructure' }],
  ])('make %s a scope', (rollback_type, scope) => {
    expect(given({ rollback_type }).scope).toEqual(scope);
  });

  it('mean the last version that was well, and say who asked', () => {
    const env = {
      INPUT_ENVIRONMENT: 'staging',
      INPUT_SERVER: 'https://one.example',
      GITHUB_ACTOR: 'anna',
      GITHUB_WORKFLOW: 'rollback',
      GITHUB_REPOSITORY: 'shop/web',
    };
    expect(readInputs(env)).toEqual({
      environment: 'staging',
      server: 'https://one.example',
      stack: 'staging',
      audience: 'backstay-staging',
      target: 'known-good',
      scope: { kind: 'application' },
      options: { reason: 'rollback of shop/web, started by anna' },
      dryRun: false,
      wait: true,
    });
  });

  it('take what is said over what is usual', () => {
    const said = given({
      stack: 'staging=medical-kg',
      rollback_type: 'database',
      backup: 'main=20260101-main, audit=latest',
      target_revision: 'v1.2.2',
      reason: 'slow',
      severity: 'SEV-2',
      incident: 'https://pd.example/1',
      audience: 'ours',
      dry_run: 'true',
      wait: 'false',
    });
    expect(said).toMatchObject({ stack: 'medical-kg', target: 'v1.2.2', audience: 'ours', dryRun: true, wait: false });
    expect(said.options).toEqual({
      reason: 'slow',
      severity: 'SEV-2',
      incident: 'https://pd.example/1',
      data: { restore: { main: '20260101-main', audit: 'latest' } },
    });
  });

  it.each([
    ['no environment', { environment: ' ' }, 'environment is missing'],
    ['an environment that is no name', { environment: 'a/../b' }, 'no name of an environment'],
    ['no server', { server: '' }, 'server is missing'],
    ['an environment without a server', { environment: 'qa' }, '0 lines for qa'],
    ['two servers for one', { server: `${SERVERS}staging=https://other.example` }, '2 lines for staging'],
    ['lines and a value', { server: `${SERVERS}https://other.example` }, 'neither one value'],
    ['another type', { rollback_type: 'cluster' }, 'rollback_type "cluster"'],
    ['a backup of an application', { backup: 'main=latest' }, 'goes with rollback_type database'],
    ['a backup of no store', { rollback_type: 'database', backup: 'latest' }, 'STORE=BACKUP'],
    ['a flag that is neither', { dry_run: 'yes' }, 'neither true nor false'],
  ])('are refused with %s', (_what, inputs, fault) => {
    expect(() => given(inputs)).toThrow(fault);
  });

  it('are those that action.yml declares', () => {
    const action = parse(readFileSync(join(PROJECT, 'action', 'action.yml'), 'utf8')) as {
      readonly inputs: Record<string, { readonly required: boolean; readonly default?: string }>;
      readonly runs: object;
    };
    const source = readFileSync(join(PROJECT, 'action', 'src', 'inputs.ts'), 'utf8');
    const read = [...source.matchAll(/(?:input|needed)\('(\w+)'\)/g)].map(([, name]) => name);
    expect(new Set(Object.keys(action.inputs))).toEqual(new Set(read));
    expect(action.runs).toEqual({ using: 'node24', main: 'dist/index.js' });
    // What the file says is usual is what an absent input means.
    const usual = Object.entries(action.inputs).flatMap(([name, { default: value }]) =>
      value === undefined ? [] : [[name, value] as const],
    );
    expect(given(Object.fromEntries(usual))).toEqual(given({}));
  });
});

describe('what is said to the runner', () => {
  it('is never taken for a command of it', () => {
    let written = '';
    const runner = githubRunner({}, (text) => (written += text));
    runner.line('::set-output name=run::x\n  ::add-mask::y');
    expect(written).not.toMatch(/^\s*::/m);
    runner.error('a: b, c', 'first\nsecond 100%');
    expect(written).toContain('::error title=a%3A b%2C c::first%0Asecond 100%25\n');
  });
});
