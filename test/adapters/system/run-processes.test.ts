import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createRunProcesses } from '../../../src/adapters/system/index.ts';
import type { RunProcesses } from '../../../src/ports/index.ts';
import { problemIn } from '../../../src/service/dispatch/problem.ts';
import { type Machine, machine } from '../../support/backstay.ts';

/** Real processes of the real command line, on a machine without a cluster. */
describe('processes that carry runs', { timeout: 60_000 }, () => {
  let here: Machine;
  let processes: RunProcesses;
  const logOf = (run: string): string => join(here.stateDir, 'runs', run, 'service.log');
  const start = async (run: string) =>
    await processes.start(run, { user: 'token:anna', log: logOf(run), without: ['CHAT_KEY'] });

  beforeAll(async () => {
    here = await machine();
    processes = createRunProcesses({ env: { ...here.env, CHAT_KEY: 'canary-71c2' }, cwd: here.projectDir });
  });
  afterAll(async () => {
    await here.remove();
  });

  test('leave what they say in a file of their owner, and the reason of their end in it', async () => {
    const { mark, ended } = await start('r-unknown');
    const environment = await readFile(`/proc/${mark.pid}/environ`, 'utf8');
    expect(environment.split('\0')).toContain('BACKSTAY_USER=token:anna');
    expect(environment).not.toContain('canary-71c2');
    await ended;
    expect(await processes.find(mark)).toBe('gone');
    const log = await readFile(logOf('r-unknown'), 'utf8');
    expect(JSON.parse(log.split('\n')[0] ?? '')).toMatchObject({ kind: 'Start', run: 'r-unknown', user: 'token:anna' });
    expect(problemIn(log)).toMatchObject({ code: 'RUN_UNKNOWN', isFinal: true });
    expect((await stat(logOf('r-unknown'))).mode & 0o777).toBe(0o600);
  });

  test('lead a group of their own, can be found and told to stop, and are not taken for others', async () => {
    const { mark, ended } = await start('r-stopped');
    const group = Number((await readFile(`/proc/${mark.pid}/stat`, 'latin1')).split(') ')[1]?.split(' ')[2]);
    expect(group).toBe(mark.pid);
    expect(await processes.find(mark)).toBe('at work');
    expect(await processes.find({ ...mark, started: mark.started - 1 })).toBe('gone');
    expect(await processes.find({ ...mark, machine: 'another' })).toBe('elsewhere');
    expect(await processes.stop({ ...mark, started: mark.started - 1 })).toBe(false);
    expect(await processes.stop(mark)).toBe(true);
    await ended;
    expect(await processes.find(mark)).toBe('gone');
    // Killed before it could say why: what an earlier one said is not its reason.
    expect(problemIn(await readFile(logOf('r-stopped'), 'utf8'))).toBeUndefined();
  });

  test('that cannot be started are told as such, and end nobody else', async () => {
    const nowhere = createRunProcesses({ env: here.env, cwd: join(here.projectDir, 'nowhere') });
    const request = { user: 'token:anna', log: logOf('r-nowhere'), without: [] };
    await expect(nowhere.start('r-nowhere', request)).rejects.toMatchObject({
      code: 'TOOL_MISSING',
      cause: { code: 'ENOENT' },
    });
  });
});

describe('the reason of an end', () => {
  const start = '{"kind":"Start","run":"r1"}';
  const error = '{"apiVersion":"backstay.dev/v1","kind":"Error","code":"LEASE_HELD","message":"held","next":"wait"}';
  test.each<[string, string, object | undefined]>([
    [
      'is what it said last',
      `${start}\n${error}\nerror LEASE_HELD  held\n`,
      { code: 'LEASE_HELD', message: 'held', next: 'wait' },
    ],
    ['is none where it said none', `${start}\n{"kind":"RunEvent"}\n`, undefined],
    ['is not that of an earlier one', `${start}\n${error}\n${start}\n`, undefined],
    ['is none where it was cut off', `${start}\n{"kind":"Err`, undefined],
    ['is none in an empty file', '', undefined],
  ])('%s', (_name, log, problem) => {
    expect(problemIn(log)).toEqual(problem);
  });
});
