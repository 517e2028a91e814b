import type { ListedBackup, ListedStore } from '../../actions/db.ts';
import type { Composition } from '../../compose.ts';
import type { SchemaRevision } from '../../model/index.ts';
import { BackstayError } from '../../errors/index.ts';
import type { CommandRun, Invocation } from '../commands.ts';
import type { Style } from '../render/style.ts';
import { size, table } from '../render/table.ts';
import { age, duration } from '../render/time.ts';
import { renderWindows } from '../render/windows.ts';
import { stopSignals } from '../signals.ts';
import { targetOf } from '../../actions/db-past.ts';
import { pastAsked } from '../plan-options.ts';
import { withStack } from '../with-stack.ts';

export const list: CommandRun = async (invocation) => {
  const { args, terminal } = invocation;
  const { listStores } = await import('../../actions/db.ts');
  return await withStack(invocation, args[0] ?? '', async (composition) => {
    const { stack } = composition;
    const items = await listStores(await composition.dataStores());
    terminal.result('DataStoreList', { items }, () =>
      items.length === 0
        ? `${stack.name} declares no data store (\`backstay:stores\` in its stack file)`
        : items.map((store) => renderStore(store, terminal.out)).join('\n\n'),
    );
    const unreachable = items.some(({ problem }) => problem !== undefined);
    return unreachable ? 1 : items.some(({ backups }) => backups.some((one) => 'damaged' in one)) ? 7 : 0;
  });
};

function renderStore(store: ListedStore, style: Style): string {
  const { name, kind, live, problem, backups, windows = [], pastProblem } = store;
  const now =
    live === undefined
      ? style.bad(`cannot be reached: ${problem ?? ''}`)
      : `${live.server}  ${kind} ${live.version}  ${size(live.bytes)}  ${rowsOf(live.rows)}`;
  const head = `${style.bold(name)}  ${now}`;
  const past =
    pastProblem === undefined
      ? renderWindows(windows, style)
      : [`  ${style.warn(`its past is not known: ${pastProblem}`)}`];
  if (backups.length === 0) return [head, '  no backups yet', ...past].join('\n');
  const rows = backups.map((one) =>
    'damaged' in one
      ? [one.folder.split('/').at(-1) ?? '', '', '', '', style.bad(`damaged: ${one.damaged}`)]
      : [
          one.id,
          age(one.takenAt, Date.now()),
          size(one.bytes),
          `${one.rows} in ${one.tables} tables`,
          proofOf(one, style),
          one.marker ?? '',
        ],
  );
  const listing = table(['backup', 'age', 'size', 'rows', 'proven', 'taken together'], rows);
  return [head, ...listing.split('\n').map((line) => `  ${line}`), ...past].join('\n');
}

function proofOf({ proof }: ListedBackup, style: Style): string {
  if (proof === 'restored' || proof === 'promoted') return style.good(proof);
  return style.warn(proof ?? 'nothing');
}

function rowsOf(rows: Readonly<Record<string, number>>): string {
  const counts = Object.values(rows);
  return `${counts.reduce((sum, count) => sum + count, 0)} rows in ${counts.length} tables`;
}

export const backup: CommandRun = async (invocation) => {
  const { args, options, terminal } = invocation;
  const only = tablesOf(options);
  if (options['all'] === true) return await (await import('./db-backup-all.ts')).backupAll(invocation);
  const past = targetOf(pastAsked(options, 'at', 'restorePoint'));
  if (past !== undefined && only.tables !== undefined)
    throw new BackstayError(
      'USAGE',
      'A moment of the past is backed up as a whole; a restore may take single tables of it.',
    );
  if (past !== undefined) return await (await import('./db-past.ts')).backupPast(invocation, past);
  const { backUp, chooseStore, listed } = await import('../../actions/db.ts');
  return await withStack(invocation, args[0] ?? '', async (composition) => {
    const { stack } = composition;
    const store = chooseStore(await composition.dataStores(), args[1], stack.name);
    const prove = options['restore'] === false ? 'read' : 'restored';
    const done = await stoppable(invocation, async (signal) => {
      terminal.note(`backing up ${store.setting.name}${prove === 'restored' ? ', then restoring it beside' : ''} …`);
      const schema = await schemaOf(store.setting.name, composition, (line) => terminal.note(terminal.err.warn(line)));
      return await backUp(store, { prove, signal, ...only, ...(schema === undefined ? {} : { schema }) });
    });
    const told = listed(done.backup);
    terminal.result('Backup', { ...told, manifest: done.backup.manifest, proofs: done.backup.proofs }, () =>
      [
        `${terminal.out.good('backed up')}  ${told.id}  ${size(told.bytes)}  ${told.rows} rows in ${told.tables} tables  proven: ${done.proven}`,
        `  folder  ${told.folder}`,
      ].join('\n'),
    );
    return 0;
  });
};

/** `documents,audit.events`. @throws USAGE for an empty name */
export function tablesOf(options: Invocation['options']): { readonly tables?: readonly string[] } {
  const said = options['tables'];
  if (typeof said !== 'string') return {};
  const tables = said.split(',').map((name) => name.trim());
  if (options['all'] === true) throw new BackstayError('USAGE', '--tables and --all exclude each other.');
  if (tables.includes('')) throw new BackstayError('USAGE', `--tables "${said}" is no list of tables with commas.`);
  return { tables };
}

/** Revision of its schema now; one that cannot be asked is left out of the manifest, and said. */
async function schemaOf(
  name: string,
  composition: Composition,
  warn: (line: string) => void,
): Promise<SchemaRevision | undefined> {
  const { schemasOf } = await import('../../actions/schemas.ts');
  const asked = (await composition.migrations()).filter(({ store }) => store === name);
  const { schemas, problems } = await schemasOf(asked);
  for (const { why } of problems) warn(`the schema of ${name} is not recorded: ${why}`);
  return schemas[0];
}

export const verify: CommandRun = async (invocation) => {
  const { args, options, terminal } = invocation;
  const { chooseStore, verifyBackup } = await import('../../actions/db.ts');
  return await withStack(invocation, args[0] ?? '', async (composition) => {
    const { stack } = composition;
    const store = chooseStore(await composition.dataStores(), args[2], stack.name);
    const wanted = options['restore'] === false ? 'read' : 'restored';
    const { backup: found, proven } = await stoppable(
      invocation,
      async (signal) => await verifyBackup(store, args[1] ?? '', wanted, signal),
    );
    const [latest] = found.proofs.slice(-1);
    terminal.result('Backup', { id: found.manifest.id, proven, proofs: found.proofs }, () =>
      [
        `${terminal.out.good('good')}  ${found.manifest.id}  proven: ${proven}`,
        ...(latest === undefined ? [] : [`  ${latest.message} (${duration(latest.durationMs)})`]),
      ].join('\n'),
    );
    return 0;
  });
};

/** Ctrl-C ends the tools at work; what they left half done is removed on the way out. */
export async function stoppable<T>(invocation: Invocation, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const signals = stopSignals(invocation.process, (line) => invocation.terminal.note(line));
  try {
    return await work(signals.stop);
  } finally {
    signals.release();
  }
}
