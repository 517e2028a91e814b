import { listTools } from '../../toolchain/index.ts';
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
