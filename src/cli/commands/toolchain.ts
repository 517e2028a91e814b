import { BackstayError } from '../../errors/index.ts';
import { ensureTools, listTools, progressPrinter, TOOL_NAMES, type ToolName } from '../../toolchain/index.ts';
import type { CommandRun } from '../commands.ts';
import { table } from '../render/table.ts';

export const toolchain: CommandRun = async ({ terminal }) => {
  const tools = await listTools({ env: terminal.env });
  terminal.result('ToolList', { items: tools }, () =>
    table(
      ['tool', 'version', 'from', 'size', 'path'],
      tools.map((tool) =>
        tool.state === 'found'
          ? [tool.name, tool.version, tool.origin, `${(tool.sizeBytes / 1e6).toFixed(0)} MB`, tool.path]
          : [tool.name, tool.version, tool.state, '', tool.reason],
      ),
    ),
  );
  return 0;
};

/** What a sandbox and a run need: everything but what only the bench uses. */
const USUAL: readonly ToolName[] = ['pulumi', 'etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler'];

/** Ahead of the emergency: a tool that is built while an incident waits is a tool that is missing. */
export const get: CommandRun = async ({ args, terminal, process }) => {
  const names = named(args);
  const printer = progressPrinter(process.stderr);
  try {
    const tools = await ensureTools(names, { env: terminal.env, onProgress: printer });
    printer.done();
    const items = Object.values(tools);
    terminal.result('ToolList', { items }, () =>
      items.map(({ name, version, origin }) => `${name} ${version} (${origin})`).join('\n'),
    );
    return 0;
  } finally {
    printer.done();
  }
};

function named(args: readonly string[]): readonly ToolName[] {
  if (args.length === 0) return USUAL;
  return args.map((arg) => {
    const name = TOOL_NAMES.find((one) => one === arg);
    if (name !== undefined) return name;
    throw new BackstayError('USAGE', `There is no tool ${arg}: they are ${TOOL_NAMES.join(', ')}.`);
  });
}
