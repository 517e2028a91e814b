import { describe, expect, it } from 'vitest';
import { reportFailure } from '../../src/cli/failure.ts';
import type { Terminal } from '../../src/cli/output.ts';
import { styleOf } from '../../src/cli/render/style.ts';
import { BackstayError } from '../../src/errors/index.ts';

function listening(): { readonly terminal: Terminal; readonly said: string[] } {
  const said: string[] = [];
  const plain = styleOf(false);
  const terminal: Terminal = {
    format: 'table',
    out: plain,
    err: plain,
    env: {},
    cwd: '/',
    stdinIsTty: false,
    print: (text) => void said.push(text),
    note: (text) => void said.push(text),
    result: () => undefined,
    line: () => undefined,
  };
  return { terminal, said };
}

function failing(code: string, syscall: string): Error {
  return Object.assign(new Error(`${code}: it cannot be done, ${syscall}`), { code, syscall, path: '/full/blob' });
}

describe('a failure', () => {
  it.each([
    ['ENOSPC', 'write'],
    ['EROFS', 'open'],
    ['EACCES', 'mkdir'],
  ])('of the disk (%s on %s) is nobody’s defect, and names the file and what to do', (code, syscall) => {
    const { terminal, said } = listening();
    expect(reportFailure(failing(code, syscall), terminal)).toBe(1);
    expect(said.join('\n')).toContain('STORAGE_UNWRITABLE');
    expect(said.join('\n')).toContain('/full/blob');
    expect(said.join('\n')).not.toContain('defect');
  });

  it('of a socket, or that nobody foresaw, is owned up to', () => {
    for (const error of [failing('EACCES', 'connect'), new TypeError('x is undefined')]) {
      const { terminal, said } = listening();
      expect(reportFailure(error, terminal)).toBe(1);
      expect(said.join('\n')).toContain('INTERNAL');
    }
  });

  it('that was thrown on purpose exits as its code says, with the next step', () => {
    const { terminal, said } = listening();
    expect(reportFailure(new BackstayError('LEASE_HELD', 'run 7 holds it'), terminal)).toBe(5);
    expect(said.join('\n')).toMatch(/LEASE_HELD {2}run 7 holds it\n {2}next: /);
  });
});
