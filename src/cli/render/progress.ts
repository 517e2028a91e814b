import type { Reporter } from '../../ports/index.ts';
import { displayName, type ObjectKey, partsOf, type RunEvent, type Verdict } from '../../model/index.ts';
import { duration, moment } from './time.ts';
import type { Style } from './style.ts';

/**
 * Tells a run line by line on stderr: what a person watches at three in the morning and what a CI log keeps. Repeated
 * messages of an object are told once. Without `startedAt` (milliseconds) times count from the first event.
 */
export function progressReporter(write: (line: string) => void, style: Style): Reporter {
  const last = new Map<string, string>();
  let first: number | undefined;
  // By the events' own times, so that what is told later, to who watches, is told as it was.
  const clock = ({ time }: RunEvent): string => {
    const now = Date.parse(time);
    first ??= now;
    return style.dim(`${(Math.max(0, now - first) / 1000).toFixed(1).padStart(6)}s`);
  };
  return {
    report(event: RunEvent): void {
      const text = lineOf(event, style, last);
      const at = clock(event);
      if (text !== undefined) write(`${at}  ${text}`);
    },
  };
}

function lineOf(event: RunEvent, style: Style, last: Map<string, string>): string | undefined {
  switch (event.type) {
    case 'run.started':
      return `${style.bold('run')} ${event.run} on ${event.stack}, target ${event.target}`;
    case 'approval.needed':
      return approvalNeeded(event, style);
    case 'approval.given': {
      const said = event.decision === 'approved' ? style.good('approved') : style.bad('denied');
      return `  ${said}  by ${event.user} as ${event.role}${event.reason === undefined ? '' : `: ${event.reason}`}`;
    }
    case 'phase.entered':
      return style.bold(event.phase);
    case 'phase.left':
      return undefined;
    case 'step.started':
      return `  ${style.accent('›')} ${event.title}`;
    case 'step.ended':
      return stepEnd(event, style);
    case 'object.progress': {
      const said = `${event.state} ${event.message}`;
      if (last.get(event.object) === said) return undefined;
      last.set(event.object, said);
      return `      ${objectMark(event.state, style)} ${objectLine(event.object as ObjectKey, event.message)}`;
    }
    case 'check.measured': {
      const { verdict, name, reason } = event.result;
      return `      ${verdictMark(verdict, style)}  ${name}  ${style.dim(reason)}`;
    }
    case 'probe.changed':
      return probeLine(event, style);
    case 'run.message':
      return `  ${event.level === 'warn' ? style.warn('warning') : style.dim('note')}  ${event.message}`;
    case 'run.ended': {
      const good = event.outcome === 'succeeded' || event.outcome === 'nothing-to-do';
      const why = event.reason === undefined ? '' : `: ${event.reason}`;
      return `${style.bold('run')} ${good ? style.good(event.outcome) : style.bad(event.outcome)} after ${duration(event.durationMs)}${why}`;
    }
    case 'observation.started':
      return `${style.bold('watching')} until ${moment(event.until)}: ${event.subjects.join(', ')}`;
    case 'observation.changed':
      return `  ${verdictMark(event.verdict, style)}  ${event.subject}  ${style.dim(event.reason)}`;
    case 'observation.ended': {
      const said = event.outcome === 'quiet' ? style.good(event.outcome) : style.bad(event.outcome);
      return `${style.bold('watched')} ${said}: ${event.reason}`;
    }
  }
}

function verdictMark(verdict: Verdict, style: Style): string {
  return verdict === 'pass' ? style.good('pass') : verdict === 'fail' ? style.bad('fail') : style.warn('unknown');
}

function approvalNeeded(event: Extract<RunEvent, { type: 'approval.needed' }>, style: Style): string {
  const people = event.count === 1 ? '' : ` (${event.count} people)`;
  const who = `${event.severity}: approval by ${event.roles.join(' or ')}${people}`;
  const until = moment(event.until);
  if (event.when === 'before') return `  ${style.warn('waits')}  ${who}, until ${until}`;
  const why = event.waived === undefined ? '' : ` (not waited for: --${event.waived})`;
  return `  ${style.warn('due afterwards')}  ${who}, by ${until}${why}`;
}

/** The engine's messages name their object in full, for Pulumi's own display; here the name stands once, in front. */
function objectLine(key: ObjectKey, message: string): string {
  const name = displayName(key);
  const { namespace } = partsOf(key);
  const rest = message.replace(namespace === undefined ? name : `${name} in ${namespace}`, '').replaceAll(/\s+/g, ' ');
  return `${name}  ${rest.trim()}`;
}

function stepEnd(event: Extract<RunEvent, { type: 'step.ended' }>, style: Style): string | undefined {
  const why = event.message === undefined ? '' : `  ${event.message}`;
  if (event.outcome === 'done')
    return event.message === undefined ? undefined : `    ${style.good('done')}${style.dim(why)}`;
  if (event.outcome === 'skipped') return `    ${style.dim(`not needed${why}`)}`;
  if (event.outcome === 'warned') return `    ${style.warn('warning')}${why}`;
  return `    ${style.bad('failed')}${why}`;
}

/** That a route is up at first is no news. */
function probeLine(event: Extract<RunEvent, { type: 'probe.changed' }>, style: Style): string | undefined {
  const { name, verdict, reason } = event;
  if (verdict === 'up') return `      ${style.good('up')}  ${name}  ${style.dim(reason)}`;
  return `      ${verdict === 'down' ? style.bad('down') : style.warn('unknown')}  ${name}  ${reason}`;
}

function objectMark(state: Extract<RunEvent, { type: 'object.progress' }>['state'], style: Style): string {
  if (state === 'failed') return style.bad('✗');
  if (state === 'ready' || state === 'done') return style.good('✓');
  return style.dim('·');
}
