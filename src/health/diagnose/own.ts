import { displayName } from '../../model/index.ts';
import type { Finding, Observations, Said } from './types.ts';
import { count } from './workloads.ts';

const DAY_MS = 86_400_000;
/** A known good that is older has seldom much to do with what is live. */
const OLD_DAYS = 30;
const NAMED = 5;

/** Who holds the stack now, and which run was left behind. */
export function aboutLease({ lease, stack }: Observations): Said | string {
  if ('why' in lease) return lease.why;
  const { holder, unfinished } = lease.value;
  const findings: Omit<Finding, 'section'>[] = [];
  const phase = (one: { readonly phase?: string }): string => (one.phase === undefined ? '' : ` in phase ${one.phase}`);
  // A run that died holding the stack is told once: as the one that was left.
  if (holder !== undefined && holder.run !== unfinished?.run) {
    findings.push({
      grade: 'warn',
      subject: `run ${holder.run}`,
      message: `${holder.user} on ${holder.host} holds the stack since ${holder.since}${phase(holder)}`,
      next: `backstay history ${stack}`,
    });
  }
  if (unfinished !== undefined) {
    findings.push({
      grade: 'bad',
      subject: `run ${unfinished.run}`,
      message: `was left unfinished${phase(unfinished)} by ${unfinished.user} on ${unfinished.host} (journal ${unfinished.journal})`,
      next: `backstay resume ${unfinished.run}`,
    });
  }
  return { summary: 'nobody holds the stack', findings };
}

export function aboutRuns({ runs, lease, stack }: Observations): Said | string {
  if ('why' in runs) return runs.why;
  const told = 'value' in lease ? [lease.value.holder?.run, lease.value.unfinished?.run] : [];
  const findings = runs.value
    .filter(({ resumable, run }) => resumable && !told.includes(run))
    .map(({ run, outcome, phase, startedAt }) => ({
      grade: 'bad' as const,
      subject: `run ${run}`,
      message:
        outcome === 'damaged' ? `its journal is damaged: ${phase}` : `${outcome} in phase ${phase}, begun ${startedAt}`,
      next: outcome === 'damaged' ? `backstay history ${stack}` : `backstay resume ${run}`,
    }));
  const [last] = runs.value;
  const summary =
    last === undefined ? 'no runs yet' : `${count(runs.value.length, 'run')}, the last one ${last.outcome}`;
  return { summary, findings };
}

export function aboutSnapshots({ snapshots, now, stack }: Observations): Said | string {
  if ('why' in snapshots) return snapshots.why;
  const { count: number, knownGood, held, damaged } = snapshots.value;
  const findings: Omit<Finding, 'section'>[] = damaged.map((path) => ({
    grade: 'bad',
    subject: path,
    message: 'is damaged',
    next: `backstay verify ${stack}`,
  }));
  if (knownGood === undefined) {
    const message = number === 0 ? 'there is none: no way back' : `none of ${number} is known good`;
    findings.push({ grade: 'warn', subject: 'snapshots', message, next: `backstay capture ${stack}` });
  }
  const days = knownGood === undefined ? 0 : Math.floor((now - Date.parse(knownGood.capturedAt)) / DAY_MS);
  if (knownGood !== undefined && days >= OLD_DAYS) {
    const message = `the last known good is ${days} days old`;
    findings.push({ grade: 'warn', subject: knownGood.shortId, message, next: `backstay capture ${stack}` });
  }
  const kept =
    held.length === 0
      ? ''
      : `; ${held.length} held (${held
          .map(({ shortId }) => shortId)
          .slice(0, NAMED)
          .join(', ')})`;
  const age = days === 0 ? 'of today' : `${days} days old`;
  return { summary: `known good ${knownGood?.shortId ?? 'none'}, ${age}${kept}`, findings };
}

export function aboutKeys({ keys, stack }: Observations): Said {
  if ('value' in keys) return { summary: keys.value, findings: [] };
  return {
    summary: '',
    findings: [{ grade: 'bad', subject: 'keys', message: keys.why, next: `backstay keys init ${stack}` }],
  };
}

export function aboutFlags({ flags, stack }: Observations): Said {
  const findings = flags
    .filter(({ value }) => value === null)
    .map(({ name, source }) => ({
      grade: 'warn' as const,
      subject: `flag ${name}`,
      message: `is not set: ${source}`,
      next: `backstay diff ${stack} --to known-good --scope flags`,
    }));
  const said = flags.map(({ name, value }) => `${name} = ${value ?? '(unset)'}`).join(', ');
  return { summary: said === '' ? 'none declared' : said, findings };
}

/** What is not as it was when the stack was last known good. */
export function aboutDrift({ drift, stack }: Observations): Said | string {
  if ('why' in drift) return drift.why;
  if (drift.value === undefined) return 'there is no known good to compare with';
  const { shortId, changed } = drift.value;
  if (changed.length === 0) return { summary: `live equals known good ${shortId}`, findings: [] };
  const names = changed.slice(0, NAMED).map(displayName).join(', ');
  const more = changed.length > NAMED ? ` and ${changed.length - NAMED} more` : '';
  return {
    summary: '',
    findings: [
      {
        grade: 'warn',
        subject: `known good ${shortId}`,
        message: `${count(changed.length, 'object')} differ${changed.length === 1 ? 's' : ''} from it: ${names}${more}`,
        next: `backstay diff ${stack} --to known-good`,
      },
    ],
  };
}

export function aboutEngine({ engine, lease }: Observations): Said | string {
  if ('why' in engine) return engine.why;
  const busy = 'value' in lease && lease.value.holder !== undefined;
  const findings = engine.value.map(({ who, since }) => ({
    grade: busy ? ('warn' as const) : ('bad' as const),
    subject: "Pulumi's state",
    message: `is locked by ${who}${since === undefined ? '' : ` since ${since}`}`,
    next: busy ? 'Wait for the run.' : 'The next run opens it, if that process is gone; else end it.',
  }));
  return { summary: "Pulumi's state is not locked", findings };
}
