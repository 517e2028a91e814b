import { describeTarget, type RecoveryTarget } from '../../model/index.ts';
import type { CommandRun, Invocation } from '../commands.ts';
import { size } from '../render/table.ts';
import { renderWindows } from '../render/windows.ts';
import { withStack } from '../with-stack.ts';
import { stoppable } from './db.ts';

/** `db backup --at` and `--restore-point`. */
export const backupPast = async (invocation: Invocation, target: RecoveryTarget): Promise<number> => {
  const { args, options, terminal } = invocation;
  const { chooseStore, listed } = await import('../../actions/db.ts');
  const { backUpPast } = await import('../../actions/db-past.ts');
  return await withStack(invocation, args[0] ?? '', async (composition) => {
    const store = chooseStore(await composition.dataStores(), args[1], composition.stack.name);
    const done = await stoppable(invocation, async (signal) => {
      terminal.note(`recovering a copy of ${store.setting.name} at ${describeTarget(target)} …`);
      const prove = options['restore'] === false ? 'read' : 'restored';
      return await backUpPast(store, target, { prove, promote: options['promote'] === true, signal });
    });
    const told = listed(done.backup);
    const { source } = done.backup.manifest;
    terminal.result('Backup', { ...told, manifest: done.backup.manifest, proofs: done.backup.proofs }, () =>
      [
        `${terminal.out.good('backed up')}  ${told.id}  ${size(told.bytes)}  ${told.rows} rows in ${told.tables} tables  proven: ${done.proven}`,
        `  as of   ${told.takenAt}, by ${source?.reached.said ?? ''}`,
        `  from    base backup ${source?.base ?? ''}, timeline ${source?.timeline ?? ''}, to ${source?.reached.lsn ?? ''}`,
        `  folder  ${told.folder}`,
      ].join('\n'),
    );
    return 0;
  });
};

export const base: CommandRun = async (invocation) => {
  const { args, terminal } = invocation;
  const { chooseStore } = await import('../../actions/db.ts');
  const { pastOf, takeBase } = await import('../../actions/db-past.ts');
  return await withStack(invocation, args[0] ?? '', async (composition) => {
    const store = chooseStore(await composition.dataStores(), args[1], composition.stack.name);
    const taken = await stoppable(invocation, async (signal) => {
      terminal.note(`copying the server of ${store.setting.name} …`);
      return await takeBase(store, signal);
    });
    const { windows = [] } = await pastOf(store);
    terminal.result('BaseBackup', { ...taken, windows }, () =>
      [
        `${terminal.out.good('copied')}  ${taken.name}  ${size(taken.bytes)}  timeline ${taken.timeline}, from ${taken.start} to ${taken.end ?? '?'}`,
        ...renderWindows(windows, terminal.out),
      ].join('\n'),
    );
    return 0;
  });
};
