import { listTools } from '../../toolchain/index.ts';
import type { CommandRun } from '../commands.ts';
import { VERSION } from '../../version.ts';

export const version: CommandRun = async ({ terminal, process }) => {
  const pulumi = (await listTools({ env: terminal.env })).find((tool) => tool.name === 'pulumi');
  const data = {
    backstay: VERSION,
    node: process.version,
    pulumi: pulumi?.state === 'found' ? { version: pulumi.version, origin: pulumi.origin } : null,
  };
  terminal.result('Version', data, () =>
    [
      `backstay ${VERSION}`,
      `node     ${process.version}`,
      `pulumi   ${pulumi?.state === 'found' ? pulumi.version : 'not there yet: the first use fetches it'}`,
    ].join('\n'),
  );
  return 0;
};
