import type { MigratedStore } from '../../actions/db-migrations.ts';
import type { MigrationWay } from '../../model/index.ts';
import type { CommandRun } from '../commands.ts';
import type { Style } from '../render/style.ts';
import { table } from '../render/table.ts';
import { withStack } from '../with-stack.ts';

export const migrations: CommandRun = async (invocation) => {
  const { args, options, terminal } = invocation;
  const { chooseMigrations, listMigrations, showWay } = await import('../../actions/db-migrations.ts');
  const to = options['to'];
  return await withStack(invocation, args[0] ?? '', async (composition) => {
    const { stack } = composition;
    const all = await composition.migrations();
    const chosen = (): (typeof all)[number] => chooseMigrations(all, args[1], stack.name);
    const items =
      typeof to === 'string'
        ? [await showWay(chosen(), to)]
        : await listMigrations(args[1] === undefined ? all : [chosen()]);
    terminal.result('MigrationList', { items }, () =>
      items.length === 0
        ? `no store of ${stack.name} declares how its schema is migrated (\`migrations\` of a store)`
        : items.map((item) => render(item, terminal.out)).join('\n\n'),
    );
    return items.some(({ failure }) => failure !== undefined) ? 1 : 0;
  });
};

function render(
  { store, tool, runs, current, known = [], newest = [], way, failure }: MigratedStore,
  style: Style,
): string {
  const head = `${style.bold(store)}  ${tool}, ${runs}`;
  if (current === undefined) return `${head}\n  ${style.bad(`cannot be asked: ${failure ?? ''}`)}`;
  const { heads } = current;
  const at = heads.length === 0 ? 'before the first revision' : `at ${heads.join(' and ')}`;
  const branches = heads.length > 1 ? `  ${style.bad('branches that were never merged')}` : '';
  const ahead = newest.filter((one) => !heads.includes(one));
  const missing = ahead.length === 0 ? '' : `  ${style.warn(`the scripts lead on to ${ahead.join(' and ')}`)}`;
  const rows = known
    .toReversed()
    .map(({ revision, title, reversible, applied }) => [
      revision,
      applied ? 'applied' : '',
      title,
      reversible ? '' : style.warn('cannot be taken back'),
    ]);
  return [
    `${head}  ${at}${branches}${missing}`,
    ...(rows.length === 0 ? [] : table(['revision', '', 'title', ''], rows).split('\n')).map((line) => `  ${line}`),
    ...(way === undefined ? [] : renderWay(way, style)),
  ].join('\n');
}

function renderWay({ from, to, direction, steps, digest }: MigrationWay, style: Style): readonly string[] {
  const ends = `${from ?? 'base'} to ${to ?? 'base'}`;
  if (direction === 'none') return [`  ${style.good('there already')}: ${to ?? 'base'}`];
  return [
    `  ${style.bold(direction)} from ${ends}, ${digest}`,
    ...steps.map(({ revision, title, reversible }, at) => {
      const stuck = direction === 'down' && !reversible ? `  ${style.bad('cannot be taken back')}` : '';
      return `    ${at + 1}. ${direction === 'down' ? 'undo' : 'apply'} ${revision}  ${title}${stuck}`;
    }),
  ];
}
