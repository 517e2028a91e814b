import { listStacks, loadStack, readEnvironment } from '../../config/index.ts';
import { isBackstayError } from '../../errors/index.ts';
import type { CommandRun } from '../commands.ts';
import { table } from '../render/table.ts';

interface Row {
  readonly name: string;
  readonly namespaces: readonly string[];
  readonly context: string;
  readonly checks: number;
  readonly problem?: string;
}

/** Lists every stack file, also one that cannot be used: with its fault, not left out. */
export const stacks: CommandRun = async ({ terminal }) => {
  const environment = readEnvironment(terminal.env, terminal.cwd);
  const rows: Row[] = [];
  for (const name of await listStacks(environment.projectDir)) {
    try {
      const stack = await loadStack(name, { projectDir: environment.projectDir, env: terminal.env });
      rows.push({
        name,
        namespaces: stack.namespaces,
        context: stack.cluster.context ?? '(current)',
        checks: stack.checks.length,
      });
    } catch (error) {
      if (!isBackstayError(error)) throw error;
      rows.push({ name, namespaces: [], context: '', checks: 0, problem: error.message });
    }
  }
  terminal.result('StackList', { items: rows }, () =>
    rows.length === 0
      ? `no stack files in ${environment.projectDir}/stacks`
      : table(
          ['stack', 'namespaces', 'context', 'checks', 'problem'],
          rows.map((row) => [row.name, row.namespaces.join(','), row.context, String(row.checks), row.problem ?? '']),
        ),
  );
  return 0;
};
