import type { CheckedStore } from '../../actions/db-check.ts';
import type { CommandRun } from '../commands.ts';
import type { Style } from '../render/style.ts';
import { table } from '../render/table.ts';
import { withStack } from '../with-stack.ts';

export const check: CommandRun = async (invocation) => {
  const { args, terminal } = invocation;
  const { chooseStore } = await import('../../actions/db.ts');
  const { checkStores } = await import('../../actions/db-check.ts');
  return await withStack(invocation, args[0] ?? '', async (composition) => {
    const { stack } = composition;
    const all = await composition.dataStores();
    const items = await checkStores(args[1] === undefined ? all : [chooseStore(all, args[1], stack.name)]);
    terminal.result('DataStoreCheck', { items }, () =>
      items.length === 0
        ? `${stack.name} declares no data store (\`backstay:stores\` in its stack file)`
        : items.map((item) => render(item, terminal.out)).join('\n\n'),
    );
    if (items.some(({ failure }) => failure !== undefined)) return 1;
    return items.some(({ integrity }) => (integrity?.problems.length ?? 0) > 0) ? 7 : 0;
  });
};

function render({ name, kind, integrity, failure }: CheckedStore, style: Style): string {
  const head = `${style.bold(name)}  ${kind}`;
  if (integrity === undefined) return `${head}  ${style.bad(`cannot be asked: ${failure ?? ''}`)}`;
  const { rows, contents, problems, unknown } = integrity;
  const verdict = problems.length === 0 ? style.good('fits together') : style.bad(`${problems.length} problems`);
  const listed = Object.entries(rows).map(([of, count]) => {
    const held = contents[of];
    const digest = held === undefined ? 'not read' : held.digest.slice('sha256:'.length, 'sha256:'.length + 16);
    return [of, String(count), `${digest}${held?.sampled === true ? ' (of a sample)' : ''}`];
  });
  return [
    `${head}  ${verdict}`,
    ...(listed.length === 0 ? [] : table(['', 'rows', 'contents'], listed).split('\n')).map((line) => `  ${line}`),
    ...problems.map((problem) => `  ${style.bad('problem')}  ${problem}`),
    ...unknown.map((what) => `  ${style.warn('not asked')}  ${what}`),
  ].join('\n');
}
