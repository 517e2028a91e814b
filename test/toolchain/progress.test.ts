import { describe, expect, it } from 'vitest';
import { describe as describeProgress, progressPrinter } from '../../src/toolchain/progress.ts';

function stream(isTTY: boolean) {
  let text = '';
  return { isTTY, columns: 40, write: (more: string) => (text += more), text: () => text };
}

describe('progress for people', () => {
  it.each([
    [
      { message: 'compiled 3 of 4 packages', fraction: 0.678, secondsLeft: 42 },
      'etcd: 67 % compiled 3 of 4 packages, about 42 s left',
    ],
    [{ message: 'linking', fraction: 0.9, secondsLeft: 200 }, 'etcd: 90 % linking, about 3 min left'],
    [{ message: 'linking', secondsLeft: 0 }, 'etcd: linking, about 1 s left'],
    [{ message: 'asking' }, 'etcd: asking'],
  ])('says what, how far and how long: %j', (progress, line) => {
    expect(describeProgress({ tool: 'etcd', stage: 'build', ...progress })).toBe(line);
  });

  it('rewrites one line on a terminal, cut to its width, and takes it away at the end', () => {
    const terminal = stream(true);
    const print = progressPrinter(terminal);
    print({ tool: 'etcd', stage: 'build', message: 'x'.repeat(100) });
    print({ tool: 'etcd', stage: 'build', message: 'linking' });
    print.done();
    expect(terminal.text()).toBe(`\r\u001b[2Ketcd: ${'x'.repeat(33)}\r\u001b[2Ketcd: linking\r\u001b[2K`);
  });

  it('writes a line at each new stage elsewhere, not at each step', () => {
    const log = stream(false);
    const print = progressPrinter(log);
    for (let built = 0; built < 100; built += 1) print({ tool: 'etcd', stage: 'build', message: `compiled ${built}` });
    print({ tool: 'etcd', stage: 'publish', message: 'checking in' });
    print({ tool: 'kwok', stage: 'build', message: 'compiled 0' });
    print.done();
    expect(log.text()).toBe('etcd: compiled 0\netcd: checking in\nkwok: compiled 0\n');
  });
});
