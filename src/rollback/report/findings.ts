import { hasBegun } from '../approval.ts';
import type { Note, NoteTopic, RunState } from '../../journal/index.ts';
import type { RunReport } from './types.ts';

/** What people noted after the end. */
export function findingsOf({ notes }: RunState): RunReport['findings'] {
  const last = (topic: NoteTopic): Note | undefined => notes.findLast((note) => note.topic === topic);
  const [rootCause, impact, dataLoss] = [last('root-cause'), last('impact'), last('data-loss')];
  return {
    ...(rootCause === undefined ? {} : { rootCause }),
    ...(impact === undefined ? {} : { impact }),
    ...(dataLoss === undefined ? {} : { dataLoss }),
    followUps: notes.filter(({ topic }) => topic === 'follow-up'),
  };
}

/** ISO 8601; undefined where the policy asks for none or the run has not ended. */
export function postMortemDue({ plan, ended }: RunState): string | undefined {
  if (plan.postMortemMs === undefined || ended === undefined || ended.outcome === 'mixed') return undefined;
  return new Date(Date.parse(ended.at) + plan.postMortemMs).toISOString();
}

/** ISO 8601: when the policy wanted it done; undefined where it does not say. */
export function deadlineOf({ plan, startedAt }: RunState): string | undefined {
  if (plan.deadlineMs === undefined) return undefined;
  return new Date(Date.parse(startedAt) + plan.deadlineMs).toISOString();
}

/** What the run left for people to do, then what people themselves wrote down. */
export function followUps(state: RunState): readonly string[] {
  const { ended, stack, run, plan } = state;
  const list: string[] = [];
  if (plan.approval?.when === 'before' && ended === undefined && !hasBegun(state))
    list.push(
      `Have the run approved by ${plan.approval.roles.join(' or ')}: \`backstay approve ${run}\`. Nothing was begun.`,
    );
  else if (ended === undefined || ended.outcome === 'mixed')
    list.push(`Go on with \`backstay resume ${run}\`: the stack is between two states.`);
  if (ended?.outcome === 'unvalidated')
    list.push(`Validate the stack: \`backstay capture ${stack}\` measures its checks.`);
  for (const { step, status, message } of state.steps.values()) {
    if (status === 'warned') list.push(`Look at "${step.title}", which only warned: ${message ?? ''}`);
  }
  const held = heldBy(state);
  if (held !== undefined && state.undone === undefined)
    list.push(
      `The version that was rolled back from is held (${held.slice(0, 19)}…): find its cause before it is released.`,
    );
  const { observation } = state;
  if (observation?.ended?.outcome === 'disturbed')
    list.push(`Look at what came after the run: ${observation.ended.reason}.`);
  const { approval } = plan;
  const approved = state.approvals.filter(({ decision }) => decision === 'approved').length;
  if (approval?.when === 'after' && approved < approval.count)
    list.push(`Have the run approved by ${approval.roles.join(' or ')}: ${approval.severity} asks for it afterwards.`);
  const due = postMortemDue(state);
  if (due !== undefined) list.push(`Write the post-mortem: due ${due.slice(0, 16).replace('T', ' ')} UTC.`);
  return [...list, ...findingsOf(state).followUps.map(({ text }) => text)];
}

function heldBy(state: RunState): string | undefined {
  const step = [...state.steps.values()].find(({ step: { action } }) => action.kind === 'record-after');
  const held = (step?.result as { held?: unknown } | undefined)?.held;
  return typeof held === 'string' ? held : undefined;
}
