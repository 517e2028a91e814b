import { join, resolve } from 'node:path';
import { openJournal } from '../../compose.ts';
import type { CommandRun } from '../commands.ts';
import { textOf } from '../plan-options.ts';
import { renderBundle } from '../render/bundle.ts';
import { withStack } from '../with-stack.ts';

/** Where the bundle of a run is and what it holds; `--out` writes a copy. */
export const evidence: CommandRun = async ({ args, options, terminal }) => {
  const { showEvidence } = await import('../../actions/evidence-archive.ts');
  const opened = await openJournal(terminal.env, terminal.cwd);
  try {
    const out = textOf(options['out']);
    const found = await showEvidence(args[0] ?? '', out === undefined ? {} : { out: resolve(terminal.cwd, out) }, {
      ...opened.reportDeps,
      archive: await opened.archive(),
    });
    terminal.result('EvidenceBundle', found, () =>
      [
        ...renderBundle(found.manifest, terminal.out),
        '',
        found.path,
        terminal.out.dim(`manifest ${found.digest}, as the journal of the run has it`),
        ...(found.copy === undefined ? [] : [`copied to ${found.copy}`]),
      ].join('\n'),
    );
    return 0;
  } finally {
    await opened.close();
  }
};

/** Every byte of a bundle against its manifest, and the manifest against the journal. */
export const verify: CommandRun = async ({ args, terminal }) => {
  const { verifyBundle } = await import('../../actions/evidence-archive.ts');
  const opened = await openJournal(terminal.env, terminal.cwd);
  try {
    const what = args[0] ?? '';
    const verified = await verifyBundle(what, resolve(terminal.cwd, what), {
      ...opened.reportDeps,
      archive: await opened.archive(),
    });
    const { out } = terminal;
    terminal.result('EvidenceVerification', verified, () => {
      const wrong = verified.findings.filter(({ ok }) => !ok);
      const anchor = verified.anchored
        ? 'the manifest is the one in the journal'
        : 'no journal here knows it: damage would show, a bundle made anew would not';
      return [
        ...wrong.map(({ path, message }) => `${out.bad('altered')}  ${path}: ${message}`),
        verified.ok
          ? `${out.good('whole')}  ${verified.findings.length - 1} files as they were collected; ${anchor}`
          : `${out.bad('not what was collected')}  ${wrong.length} of ${verified.findings.length}`,
        out.dim(verified.path),
      ].join('\n');
    });
    return verified.ok ? 0 : 7;
  } finally {
    await opened.close();
  }
};

/** The same bundle now, without a run. */
export const collect: CommandRun = async (invocation) => {
  const { args, options, terminal } = invocation;
  const { collectNow } = await import('../../actions/evidence.ts');
  return await withStack(invocation, args[0] ?? '', async (composition) => {
    const [cluster, hasher, http, archive] = await Promise.all([
      composition.cluster(),
      composition.hasher(),
      composition.http(),
      composition.archive(),
    ]);
    const { stack, clock, files, environment } = composition;
    const time = new Date(clock.now()).toISOString().replaceAll(/[:.]/g, '-');
    const out = textOf(options['out']);
    const path =
      out === undefined
        ? join(environment.stateDir, 'evidence', stack.name, `${time}.tar.gz`)
        : resolve(terminal.cwd, out);
    const found = await collectNow({ path }, { stack, clock, files, cluster, hasher, http, archive });
    terminal.result('EvidenceBundle', found, () =>
      [
        ...renderBundle(found.manifest, terminal.out),
        '',
        found.path,
        terminal.out.dim(`manifest ${found.digest}`),
      ].join('\n'),
    );
    return 0;
  });
};
