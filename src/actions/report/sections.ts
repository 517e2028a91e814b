import { type CheckResult, displayName, observedOutcome, shortId, type Verdict } from '../../model/index.ts';
import type { RunReport } from '../../rollback/index.ts';
import { dataLossInShort, downtimeInShort, moment, scopeInShort, spell, triggerInShort } from './words.ts';

/*
 * What both pages say, without any form: Markdown and HTML differ in how they are written, never in what they tell.
 */

/** In the order in which a reviewer asks. */
export function factsOf(report: RunReport): readonly (readonly [name: string, value: string])[] {
  const { outcome, because, findings, from, target, takeovers, resumes } = report;
  const images = from.images.map(
    ({ object, from: was, to }) => `${displayName(object)}: ${was ?? 'none'} to ${to ?? 'none'}`,
  );
  const rows: readonly (readonly [string, string | undefined])[] = [
    ['Outcome', because === undefined ? outcome : `${outcome}: ${because}`],
    ['Run', report.run],
    ['Asked for by', triggerInShort(report)],
    ['Severity', report.severity],
    ['Started', moment(report.startedAt)],
    ['Ended', report.endedAt === undefined ? undefined : moment(report.endedAt)],
    ['To be done by', deadlineInShort(report)],
    ['Duration', spell(report.time.totalMs)],
    ['Downtime', downtimeInShort(report) ?? 'not measured: the stack file has no probes'],
    ['Afterwards', observedInShort(report)],
    ['Impact', findings.impact?.text],
    ['Data loss', dataLossInShort(report)],
    ['Databases', databasesInShort(report)],
    ['Root cause', findings.rootCause?.text],
    ['From', from.snapshot === undefined ? undefined : shortId(from.snapshot)],
    ['Target', `${target.said} (${target.id})`],
    ['Images', images.length === 0 ? undefined : images.join('; ')],
    ['Scope', scopeInShort(report)],
    ['Reason', report.reason],
    ['Incident', report.incident],
    ['Takes back', report.undoes],
    ['Guards taken away', report.overrides.length === 0 ? undefined : report.overrides.join(', ')],
    [
      'Resumed',
      resumes.length === 0 ? undefined : resumes.map(({ by, at }) => `${moment(at)} by ${by.user}`).join(', '),
    ],
    [
      'Lease taken from',
      takeovers.length === 0
        ? undefined
        : takeovers
            .map(({ from: whose, abandoned }) =>
              abandoned === undefined ? (whose?.run ?? '') : `${abandoned.run} (given up)`,
            )
            .join(', '),
    ],
    ['Post-mortem due', report.postMortemDue === undefined ? undefined : moment(report.postMortemDue)],
    ['Plan', report.plan],
    ['Cluster', report.clusterUid],
  ];
  return rows.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]));
}

/** Whether it was kept is said of what has arrived alone. */
function deadlineInShort({ deadline, endedAt, outcome }: RunReport): string | undefined {
  if (deadline === undefined) return undefined;
  const isDone = outcome === 'succeeded' || outcome === 'unvalidated' || outcome === 'nothing-to-do';
  if (!isDone || endedAt === undefined) return moment(deadline);
  const late = Date.parse(endedAt) - Date.parse(deadline);
  return `${moment(deadline)}: ${late <= 0 ? 'kept' : `missed by ${spell(late)}`}`;
}

function databasesInShort({ scenarios = [] }: RunReport): string | undefined {
  if (scenarios.length === 0) return undefined;
  return scenarios.map(({ store, scenario, because }) => `${store}: scenario ${scenario}, ${because}`).join('; ');
}

export interface Decision {
  readonly at: string;
  readonly who: string;
  readonly what: string;
}

/** Everything that a person said or did beside the run itself, by time. */
export function peopleOf({
  approvals,
  resumes,
  takeovers,
  undone,
  finalized,
  findings,
  by: requester,
  reason: why,
}: RunReport): readonly Decision[] {
  const because = (reason: string | undefined): string => (reason === undefined ? '' : `: ${reason}`);
  const { rootCause, impact, dataLoss, followUps } = findings;
  const notes = [rootCause, impact, dataLoss, ...followUps].flatMap((note) => (note === undefined ? [] : [note]));
  const decisions: Decision[] = [
    ...approvals.map(({ at, by, role, decision, reason }) => ({
      at,
      who: `${by.user} (${role})`,
      what: `${decision} it${because(reason)}`,
    })),
    ...takeovers.map(({ at, from, reason, abandoned }) => ({
      at,
      who: abandoned === undefined ? (from?.user ?? '') : requester.user,
      what:
        abandoned === undefined
          ? `lost the lease of run ${from?.run ?? ''}${because(reason)}`
          : `gave up run ${abandoned.run} of ${abandoned.user} on ${abandoned.host}${because(why)}`,
    })),
    ...resumes.map(({ at, by }) => ({ at, who: by.user, what: 'resumed it' })),
    ...(undone === undefined ? [] : [{ at: undone.at, who: undone.by.user, what: `undid it by run ${undone.byRun}` }]),
    ...(finalized === undefined
      ? []
      : [
          {
            at: finalized.at,
            who: finalized.by.user,
            what: `closed the way back (${finalized.because}); removed ${finalized.removed.join(', ') || 'nothing'}`,
          },
        ]),
    ...notes.map(({ at, by, topic, text }) => ({
      at,
      who: by.user,
      what: `noted the ${topic.replace('-', ' ')}: ${text}`,
    })),
  ];
  return decisions.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
}

/** What was watched after the run: a row for each change, in order of the subjects. */
export function observedRows({ observation }: RunReport): readonly ObservedRow[] {
  if (observation === undefined) return [];
  return observation.subjects.flatMap(({ name, findings }): readonly ObservedRow[] =>
    findings.length === 0
      ? [{ subject: name, verdict: 'unknown', reason: 'not measured yet' }]
      : findings.map(({ at, verdict, reason }) => ({ subject: name, at, verdict, reason })),
  );
}

export interface ObservedRow {
  readonly subject: string;
  /** ISO 8601; absent: not measured yet. */
  readonly at?: string;
  readonly verdict: Verdict;
  readonly reason: string;
}

/** `quiet for 30 min: …`; undefined where nobody watched. */
export function observedInShort({ observation }: Pick<RunReport, 'observation'>): string | undefined {
  if (observation === undefined) return undefined;
  const { startedAt, until, ended, subjects } = observation;
  if (ended === undefined) return `${observedOutcome(subjects)} so far, watched until ${moment(until)}`;
  const length = spell(Date.parse(ended.at) - Date.parse(startedAt));
  return `${ended.outcome} ${ended.outcome === 'quiet' ? 'for' : 'within'} ${length}: ${ended.reason}`;
}

export function spentTimes({ time }: RunReport): readonly (readonly [string, number])[] {
  return [
    ['the engine', time.engineMs],
    ['of it waiting for pods', time.waitingMs],
    ['hooks', time.hooksMs],
    ['checks', time.checksMs],
    ['Backstay itself', time.ownMs],
    ['all together', time.totalMs],
  ];
}

export interface ComparedCheck {
  readonly name: string;
  readonly before?: CheckResult;
  readonly after?: CheckResult;
}

export function comparedChecks({ checks: { before, after } }: RunReport): readonly ComparedCheck[] {
  const names = [...new Set([...before, ...after].map(({ name }) => name))];
  return names.map((name) => {
    const [was, is] = [before, after].map((results) => results.find((one) => one.name === name));
    return { name, ...(was === undefined ? {} : { before: was }), ...(is === undefined ? {} : { after: is }) };
  });
}

export function snapshotsOf({ stack, snapshots: { before, after, held }, evidence }: RunReport): readonly string[] {
  return [
    ...(before === undefined
      ? []
      : [`Before: ${before}. Back to it: \`backstay rollback ${stack} --to ${shortId(before)}\``]),
    ...(after === undefined ? [] : [`After: ${after}`]),
    ...(held === undefined ? [] : [`Held, never known good again without a person: ${held}`]),
    ...evidence.map(({ name, digest }) => `Evidence: ${name}${digest === undefined ? '' : ` (${digest})`}`),
  ];
}
