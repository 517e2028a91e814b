import { describe, expect, it } from 'vitest';
import { createCommand } from '../../../src/adapters/migrations/command.ts';
import type { MigrationTool } from '../../../src/adapters/migrations/tool.ts';
import type { Runner } from '../../../src/adapters/migrations/runner.ts';

interface Said {
  readonly [verb: string]: { readonly exitCode?: number; readonly stdout?: string; readonly stderr?: string };
}

function toolThat(said: Said, kind: Runner['kind'] = 'local'): MigrationTool {
  return createCommand({
    setting: {
      tool: 'command',
      command: ['own'],
      runs: { kind: 'local', folder: '/' },
      urlVariable: 'DATABASE_URL',
      irreversible: [],
    },
    runner: {
      kind,
      run: async ([, verb = '']) =>
        await Promise.resolve({ exitCode: 0, stdout: '', stderr: '', secrets: ['s3cret'], ...said[verb] }),
    },
    database: {
      address: async (where) => await Promise.resolve({ database: where?.database ?? 'app' }),
      transaction: async () => await Promise.reject(new TypeError('nobody asks here')),
      endSessions: async () => await Promise.resolve(0),
    },
  });
}

const current = (answer: object) => ({ current: { stdout: JSON.stringify(answer) } });
const refusal = (text: string) => ({ code: 'MIGRATION_REFUSED', message: expect.stringContaining(text) as string });

describe('a program of the stack', () => {
  it('answers with a revision, none, or several heads', async () => {
    expect(await toolThat(current({ revision: 'r1' })).heads({})).toEqual(['r1']);
    expect(await toolThat(current({ revision: null })).heads({})).toEqual([]);
    expect(await toolThat(current({ revision: 'r1', heads: ['r1', 'r2'] })).heads({})).toEqual(['r1', 'r2']);
  });

  it('must say of which database it speaks where it could be mistaken', async () => {
    const silent = current({ revision: 'r1' });
    await expect(toolThat(silent).heads({ database: 'copy' })).rejects.toMatchObject(refusal('does not say'));
    await expect(toolThat(silent, 'pod').heads({})).rejects.toMatchObject(refusal('does not say'));
    const live = current({ revision: 'r1', database: 'app' });
    expect(await toolThat(live, 'pod').heads({})).toEqual(['r1']);
    await expect(toolThat(live).heads({ database: 'copy' })).rejects.toMatchObject(
      refusal('speaks of database app, not of copy'),
    );
  });

  it.each([
    ['no JSON', { stdout: 'all is well' }],
    ['another form', { stdout: '{"version": 3}' }],
    ['nothing', {}],
    ['an exit code', { exitCode: 1, stderr: 'password s3cret is wrong' }],
  ])('fails with %s', async (_what, said) => {
    const error: unknown = await toolThat({ current: said })
      .heads({})
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'MIGRATION_FAILED' });
    expect(JSON.stringify(error)).not.toContain('s3cret');
  });

  it('refuses with exit code 3, in its own words', async () => {
    const tool = toolThat({ way: { exitCode: 3, stderr: 'there is no revision r9' } });
    await expect(tool.way('r9', {})).rejects.toMatchObject(refusal('there is no revision r9'));
  });

  it('begins its way where it is', async () => {
    const way = { from: 'r2', to: 'r1', direction: 'down', steps: [{ revision: 'r2' }] };
    const answers = (revision: string) => toolThat({ ...current({ revision }), way: { stdout: JSON.stringify(way) } });
    expect(await answers('r2').way('r1', {})).toMatchObject({
      ...way,
      steps: [{ revision: 'r2', title: '', reversible: true }],
    });
    await expect(answers('r3').way('r1', {})).rejects.toMatchObject(
      refusal('a way from r2, and the database is at r3'),
    );
  });

  it('has to be named', () => {
    expect(() =>
      createCommand({
        setting: {
          tool: 'command',
          runs: { kind: 'local', folder: '/' },
          urlVariable: 'DATABASE_URL',
          irreversible: [],
        },
        runner: { kind: 'local', run: async () => await Promise.reject(new TypeError('never')) },
        database: {
          address: async () => await Promise.resolve({ database: 'app' }),
          transaction: async () => await Promise.reject(new TypeError('never')),
          endSessions: async () => await Promise.resolve(0),
        },
      }),
    ).toThrow(expect.objectContaining({ code: 'MIGRATION_REFUSED' }) as Error);
  });
});
