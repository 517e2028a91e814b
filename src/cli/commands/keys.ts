import { keyFolderOf, readEnvironment } from '../../config/index.ts';
import type { CommandRun } from '../commands.ts';

export const init: CommandRun = async ({ args, terminal }) => {
  const [stack = ''] = args;
  const environment = readEnvironment(terminal.env, terminal.cwd);
  const directory = await keyFolderOf(stack, { projectDir: environment.projectDir, env: terminal.env });
  const [{ initStackKeys }, { initKeys }] = await Promise.all([
    import('../../actions/keys.ts'),
    import('../../compose.ts'),
  ]);
  const owner = `${environment.user}@${environment.host}`;
  const keys = await initStackKeys({ stack, directory, owner }, { initKeys });
  terminal.result('StackKeys', { ...keys }, () =>
    [
      keys.kind === 'made' ? `made ${keys.created.join(', ')} in ${directory}` : `all keys were there in ${directory}`,
      ...(keys.kept.length > 0 && keys.kind === 'made' ? [`left alone: ${keys.kept.join(', ')}`] : []),
      '',
      terminal.out.dim('For others, in the stack file:'),
      keys.shared,
    ].join('\n'),
  );
  return 0;
};
