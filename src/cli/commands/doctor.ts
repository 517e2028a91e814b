import type { Diagnosis, Finding, Grade } from '../../actions/doctor.ts';
import type { CommandRun } from '../commands.ts';
import type { Style } from '../render/style.ts';
import { table } from '../render/table.ts';
import { withStack } from '../with-stack.ts';

/** Everything that one asks when something is wrong, at once. 0: nothing is bad; 1: something is. */
export const doctor: CommandRun = async (invocation) => {
  const { args, terminal } = invocation;
  const { doctor: look } = await import('../../actions/doctor.ts');
  return await withStack(invocation, args[0] ?? '', async (composition) => {
    const { stack, store, clock } = composition;
    const diagnosis = await look({
      stack,
      store,
      clock,
      cluster: await composition.cluster(),
      hasher: async () => await composition.hasher(),
      journal: async () => await composition.journal(),
      lock: async () => await composition.lock(),
      stateLocks: async () => await composition.stateLocks(),
    });
    terminal.result('Diagnosis', diagnosis, () => renderDiagnosis(stack.name, diagnosis, terminal.out));
    return diagnosis.grade === 'bad' ? 1 : 0;
  });
};

function renderDiagnosis(stack: string, { findings, sections }: Diagnosis, style: Style): string {
  const wrong = findings.filter(({ grade }) => grade !== 'unknown');
  const head =
    wrong.length === 0
      ? [`${style.bold(stack)}  ${style.good('nothing looks wrong')}`]
      : [
          `${style.bold(stack)}  ${style.bold('what looks wrong')}`,
          '',
          ...wrong.flatMap((one) => renderFinding(one, style)),
        ];
  const rows = sections.map(({ section, grade, message }) => [section, painted(grade, style), message]);
  return [...head, '', table(['section', 'verdict', ''], rows)].join('\n');
}

function renderFinding({ grade, subject, message, next }: Finding, style: Style): readonly string[] {
  return [
    `${painted(grade, style).padEnd(style.on ? 0 : 4)}  ${style.bold(subject)}  ${message}`,
    style.dim(`      ${next}`),
  ];
}

function painted(grade: Grade, style: Style): string {
  if (grade === 'ok') return style.good(grade);
  if (grade === 'bad') return style.bad(grade);
  return grade === 'warn' ? style.warn(grade) : style.dim(grade);
}
