import { shortId } from '../../model/index.ts';
import type { CommandRun } from '../commands.ts';
import { textOf } from '../plan-options.ts';
import { paintVerdict } from '../render/checks.ts';
import { tellCapture } from '../render/snapshots.ts';
import { withStack } from '../with-stack.ts';

export const capture: CommandRun = async (invocation) => {
  const { args, options, terminal } = invocation;
  const { capture: run } = await import('../../actions/capture.ts');
  return await withStack(invocation, args[0] ?? '', async (composition) => {
    const { stack, store, clock } = composition;
    const [cluster, hasher, http] = await Promise.all([
      composition.cluster(),
      composition.hasher(),
      composition.http(),
    ]);
    const result = await run(
      {
        labels: labelsOf(options['as']),
        ...noteOf(options['note']),
        checks: options['checks'] === false ? 'none' : 'ask',
        onCheck: (check) =>
          terminal.note(
            `  ${paintVerdict(check.verdict, terminal.err)}  ${check.name}  ${terminal.err.dim(check.reason)}`,
          ),
      },
      { stack, cluster, store, hasher, http, clock, migrations: async () => await composition.migrations() },
    );
    if (result.kind === 'empty') return tellCapture(stack.name, result, terminal);
    const { content, ...rest } = result;
    const counted = { ...rest, objects: content.objects.length, flags: content.flags };
    return tellCapture(stack.name, counted, terminal);
  });
};

export const importManifests: CommandRun = async (invocation) => {
  const { args, options, terminal } = invocation;
  const { importManifests: run } = await import('../../actions/import-manifests.ts');
  return await withStack(invocation, args[0] ?? '', async (composition) => {
    const { stack, store, clock } = composition;
    // Without a reachable cluster a built-in table says which kinds have namespaces.
    const cluster = await composition.cluster().catch(() => undefined);
    const result = await run(
      {
        directory: args[1] ?? '',
        labels: labelsOf(options['as']),
        ...noteOf(options['note']),
        allowUnsigned: options['allowUnsigned'] === true,
      },
      {
        stack,
        store,
        hasher: await composition.hasher(),
        clock,
        readManifests: composition.readManifests,
        credentials: { of: async (names) => await (await composition.credentials()).of(names) },
        ...(cluster ? { cluster } : {}),
      },
    );
    terminal.result('Import', { ...result }, () => {
      const { out } = terminal;
      return [
        `imported ${out.bold(shortId(result.id))}  ${result.objects} objects`,
        ...(result.dataStores.length > 0
          ? [out.dim(`  data stores, touched only by --scope database: ${result.dataStores.join(', ')}`)]
          : []),
        ...result.left.map((left) => out.dim(`  left out ${left.key}: ${left.reason}`)),
        ...result.warnings.map((warning) => `  ${out.warn('warning')} ${warning}`),
      ].join('\n');
    });
    return 0;
  });
};

function labelsOf(given: unknown): readonly string[] {
  const label = textOf(given);
  return label === undefined ? [] : [label];
}

function noteOf(given: unknown): { readonly note?: string } {
  const note = textOf(given);
  return note === undefined ? {} : { note };
}
