import type { CommandRun } from '../commands.ts';
import { tellSnapshot, tellSnapshots } from '../render/snapshots.ts';
import { withStack } from '../with-stack.ts';

export const list: CommandRun = async (invocation) => {
  const { args, terminal } = invocation;
  const { listSnapshots } = await import('../../actions/snapshots.ts');
  return await withStack(invocation, args[0] ?? '', async ({ stack, store }) => {
    const { rows, damaged } = await listSnapshots(stack.name, { store });
    return tellSnapshots(stack.name, { items: rows, damaged }, terminal);
  });
};

export const show: CommandRun = async (invocation) => {
  const { args, options, terminal } = invocation;
  const { showSnapshot } = await import('../../actions/snapshots.ts');
  return await withStack(invocation, args[0] ?? '', async ({ stack, store }) => {
    const details = await showSnapshot(
      { stack: stack.name, target: args[1] ?? '', allowUnsigned: options['allowUnsigned'] === true },
      { store },
    );
    return tellSnapshot(details, terminal);
  });
};

export const verify: CommandRun = async (invocation) => {
  const { args, terminal } = invocation;
  const { verifySnapshots } = await import('../../actions/snapshots.ts');
  return await withStack(invocation, args[0] ?? '', async ({ stack, store }) => {
    const result = await verifySnapshots(
      { stack: stack.name, ...(args[1] === undefined ? {} : { target: args[1] }) },
      { store },
    );
    terminal.result('Verification', { ...result }, () =>
      [
        ...result.findings
          .filter((finding) => !finding.ok)
          .map((finding) => `${terminal.out.bad('damaged')}  ${finding.path}  ${finding.message}`),
        result.kind === 'sound'
          ? terminal.out.good(`sound: ${result.findings.length} files read, digests and signatures hold`)
          : terminal.out.bad('not sound'),
      ].join('\n'),
    );
    return result.kind === 'sound' ? 0 : 7;
  });
};
