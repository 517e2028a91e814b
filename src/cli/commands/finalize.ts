import type { Expired, FinalizeDeps, KeptRow, RunToFinalize } from '../../actions/finalize.ts';
import type { Composition } from '../../compose.ts';
import { displayName, keyOf, shortId } from '../../model/index.ts';
import type { CommandRun, Invocation } from '../commands.ts';
import { confirmByName } from '../confirm.ts';
import type { Terminal } from '../output.ts';
import { size, table } from '../render/table.ts';
import { moment } from '../render/time.ts';
import { withStack } from '../with-stack.ts';
import { stackOf } from '../run-output.ts';

/** `finalize RUN` closes one way back, `finalize STACK --expired` all that are past their retention. */
export const finalize: CommandRun = async (invocation) =>
  invocation.options['expired'] === true ? await allExpired(invocation) : await one(invocation);

async function one(invocation: Invocation): Promise<number> {
  const { args, options, terminal } = invocation;
  const [run = ''] = args;
  const name = await stackOf(run, invocation);
  const { planFinalize, finalize: carryOut } = await import('../../actions/finalize.ts');
  return await withStack(invocation, name, async (composition) => {
    const deps = await depsOf(composition);
    const plan = await planFinalize(run, deps);
    if (plan.kind === 'finalized') {
      terminal.result('Finalized', { ...plan, removed: [] }, () => `run ${run} was finalized at ${plan.at}`);
      return 0;
    }
    if (options['dryRun'] === true) {
      terminal.result('FinalizePlan', plan, () => `${render([plan], [], terminal.out)}\n${dry(terminal)}`);
      return 0;
    }
    terminal.note(render([plan], [], terminal.err));
    if (options['yes'] !== true) {
      await confirmByName(terminal, name, `Close the way back of run ${run}? It cannot be undone afterwards.`);
    }
    const done = await carryOut(run, deps);
    terminal.result('Finalized', done, () =>
      [
        `run ${run} is finalized; ${freed(done.removed.length, done.bytes)}`,
        ...done.databases.map((name) => `  database ${name} is dropped`),
        ...done.given.map((ref) => `  ${displayName(keyOf(ref))} syncs again`),
        ...done.left.map(({ ref, why }) => `  ${terminal.out.warn(displayName(keyOf(ref)))}: ${why}`),
      ].join('\n'),
    );
    return 0;
  });
}

async function allExpired(invocation: Invocation): Promise<number> {
  const { args, options, terminal } = invocation;
  const [name = ''] = args;
  const { planExpired, finalizeExpired } = await import('../../actions/finalize.ts');
  return await withStack(invocation, name, async (composition) => {
    const deps = await depsOf(composition);
    const expired: Expired = await planExpired(deps);
    if (expired.runs.length === 0 && expired.snapshots.length === 0) {
      const nothing = { ...expired, bytes: 0 };
      terminal.result('Expired', nothing, () => `nothing of ${name} is past its retention`);
      return 0;
    }
    if (options['dryRun'] === true) {
      const { runs, snapshots } = expired;
      terminal.result('Expired', expired, () => `${render(runs, snapshots, terminal.out)}\n${dry(terminal)}`);
      return 0;
    }
    terminal.note(render(expired.runs, expired.snapshots, terminal.err));
    if (options['yes'] !== true) await confirmByName(terminal, name, `Remove what is past its retention of ${name}?`);
    const done = await finalizeExpired(expired, deps);
    const removed = done.snapshots.length + done.runs.reduce((sum, each) => sum + each.removed.length, 0);
    terminal.result(
      'Expired',
      done,
      () =>
        `${done.runs.length} ${done.runs.length === 1 ? 'run is' : 'runs are'} finalized; ${freed(removed, done.bytes)}`,
    );
    return 0;
  });
}

export const kept: CommandRun = async (invocation) => {
  const { args, terminal } = invocation;
  const [name = ''] = args;
  const { kept: list } = await import('../../actions/finalize.ts');
  return await withStack(invocation, name, async (composition) => {
    const rows = await list(await depsOf(composition));
    const items = rows.map((row) => ({ ...row, shortId: shortId(row.id) }));
    terminal.result('KeptList', { items }, () =>
      rows.length === 0 ? `nothing of ${name} is kept yet` : tableOf(rows, terminal.out),
    );
    return 0;
  });
};

async function depsOf(composition: Composition): Promise<FinalizeDeps> {
  const { stack, by, store, clock } = composition;
  return {
    stack,
    by,
    store,
    clock,
    journal: await composition.journal(),
    cluster: async () => await composition.cluster(),
    dataStores: async () => await composition.dataStores(),
  };
}

/** That it is among the newest is worth a word only where nothing else keeps it. */
function whyOf({ reasons }: KeptRow): string {
  if (reasons.length === 0) return 'nothing';
  const own = reasons.filter(({ because }) => because !== 'newest');
  return (own.length === 0 ? reasons : own).map(({ why }) => why).join('; ');
}

function tableOf(rows: readonly KeptRow[], style: Terminal['out']): string {
  const total = rows.reduce((sum, { bytes }) => sum + bytes, 0);
  const lines = rows.map((row) => [
    shortId(row.id),
    size(row.bytes),
    row.reasons.length === 0 ? style.warn('expired') : row.until === undefined ? '' : moment(row.until),
    whyOf(row),
  ]);
  return `${table(['snapshot', 'size', 'until', 'kept because'], lines)}\n${style.dim(`${size(total)} together`)}`;
}

function render(runs: readonly RunToFinalize[], snapshots: readonly KeptRow[], style: Terminal['out']): string {
  const lines = runs.flatMap(({ run, removes, stays, letsGo, exchanges }) => [
    `${style.bold('run')} ${run}`,
    ...removes.map((row) => `  ${style.bad('- remove')} ${shortId(row.id)}  ${size(row.bytes)}, what was before it`),
    ...stays.map(
      (row) => `  ${style.dim('  keep')}   ${shortId(row.id)}  ${row.reasons.map(({ why }) => why).join('; ')}`,
    ),
    ...exchanges.map(({ store }) => `  ${style.bad('- drop')}   the data of ${store} that was set aside`),
    ...letsGo.map((ref) => `  ${style.warn('! sync')}   ${displayName(keyOf(ref))} brings Git's version again`),
    ...(removes.length + stays.length + exchanges.length === 0 ? [style.dim('  nothing is kept for it any more')] : []),
  ]);
  const others = snapshots.map((row) => `  ${style.bad('- remove')} ${shortId(row.id)}  ${size(row.bytes)}`);
  return [...lines, ...(others.length === 0 ? [] : [style.bold('snapshots'), ...others])].join('\n');
}

const dry = ({ out }: Terminal): string => out.dim('dry run: nothing was removed');

const freed = (count: number, bytes: number): string =>
  count === 0
    ? 'no snapshot was kept for it alone'
    : `${count} ${count === 1 ? 'snapshot' : 'snapshots'} removed, ${size(bytes)}`;
