import { useEffect, useRef, useState } from 'preact/hooks';
import { lossesOf } from '../derive.ts';
import { useNow, useResource } from '../live.ts';
import { Badge, Facts, Id, Loading, MaybeLink, Note, ProblemNote, Section, Title } from '../parts/basics.tsx';
import { DeedButton, Deeds } from '../parts/deed.tsx';
import { Log } from '../parts/log.tsx';
import { Told } from '../parts/told.tsx';
import { Watched } from '../parts/watched.tsx';
import { Checks, Probes } from '../parts/measured.tsx';
import { RiskBadge } from '../parts/plan-body.tsx';
import { Timeline } from '../parts/timeline.tsx';
import { go, to } from '../router.ts';
import { NOTHING_YET, type Progress, withEvents } from '../run-fold.ts';
import { partsOf, shareDone, stateOf } from '../run-parts.ts';
import { follow, type StreamState } from '../stream.ts';
import type { RunEvent, RunView } from '../types.ts';
import { clock, personInWords, scopeInWords, spell } from '../words.ts';
import { Approval } from '../parts/approval.tsx';

interface Followed {
  readonly progress: Progress;
  readonly stream: StreamState;
  /** Number of the journal's entry up to which the stream has told, once it is over. */
  readonly upTo: number;
}

/** Follows a run's events from its first one; what is shown is made from them alone. */
function useProgress(run: string, round: number): Followed {
  const [progress, setProgress] = useState<Progress>(NOTHING_YET);
  const [stream, setStream] = useState<StreamState>('connecting');
  const [upTo, setUpTo] = useState(0);
  useEffect(
    () =>
      follow({
        path: `/v1/runs/${encodeURIComponent(run)}/events`,
        after: upTo,
        onEvents: (events) => {
          const told = events.filter(({ type }) => type !== 'end').map(({ data }) => JSON.parse(data) as RunEvent);
          setProgress((old) => withEvents(old, told));
          const end = events.find(({ type }) => type === 'end');
          if (end !== undefined) setUpTo((JSON.parse(end.data) as { readonly sequence: number }).sequence);
        },
        onState: setStream,
      }),
    [run, round],
  );
  return { progress, stream, upTo };
}

/** The policy lets the run go first, and somebody still has to agree. */
function isDue({ approval }: Progress): boolean {
  return approval?.when === 'after' && approval.given < approval.count;
}

/** So long after something the service may still find out whom to tell. */
const TOLD_WITHIN_MS = 60_000;

/** Milliseconds since the epoch up to which there may be something new to tell of a run that has ended. */
function tellableUntil({ observation }: Progress, endedAt: number): number {
  return TOLD_WITHIN_MS + Math.max(endedAt, observation?.ended?.at ?? observation?.untilAt ?? 0);
}

/** One run: live while it is at work, and the record of it afterwards. */
export function Run({ id }: { id: string }) {
  const path = `/v1/runs/${encodeURIComponent(id)}`;
  const view = useResource<RunView>(path, ({ run }) => run === id);
  const [round, setRound] = useState(0);
  const { progress, stream, upTo } = useProgress(id, round);
  const reloadView = view.reload;
  const ended = progress.ended?.outcome;
  useEffect(() => {
    if (ended !== undefined || stream === 'over') reloadView();
  }, [ended, stream === 'over']);
  useEffect(() => {
    if (stream !== 'over' || view.data === undefined) return;
    // Somebody goes on with a run that had ended mixed, or something was told after its end.
    if (view.data.state !== 'ended' || view.data.sequence > upTo) setRound((old) => old + 1);
  }, [view.data]);
  const state = stateOf(view.data, progress);
  useEffect(() => {
    // Of several runs in several tabs, each says how it is.
    if (view.data !== undefined) document.title = `${state}: ${view.data.stack} · Backstay`;
  }, [state, view.data?.stack]);
  const isOver = progress.ended !== undefined || view.data?.outcome !== undefined;
  const now = useNow(isOver ? 60_000 : 500);
  const startedAt = Date.parse(view.data?.startedAt ?? '') || (progress.startedAt ?? now);
  const endedAt = progress.ended?.at ?? (view.data?.endedAt === undefined ? now : Date.parse(view.data.endedAt));
  const stack = view.data?.stack;
  return (
    <>
      {stack === undefined ? null : (
        <p class="trail">
          <a href={to.stack(stack)}>{stack}</a>
        </p>
      )}
      <header class="screen">
        <div>
          <Title>
            {view.data === undefined ? 'Run' : view.data.plan.undoes === undefined ? 'Rollback' : 'Undo'}
            {view.data === undefined ? '' : ` to ${view.data.plan.target.said}`}
          </Title>
          <Badge word={state} /> <Id id={id} />
        </div>
        {view.data === undefined ? null : (
          <Deeds stack={view.data.stack}>
            <RunDeeds path={path} view={view.data} state={state} onDone={reloadView} />
          </Deeds>
        )}
      </header>
      {view.problem === undefined ? null : <ProblemNote problem={view.problem} retry={view.reload} />}
      {view.data === undefined && view.loading ? <Loading what="the run" /> : null}
      <Announcer progress={progress} state={state} />
      {stream === 'offline' ? (
        <Note tone="warn">
          <p>
            This page lost the run’s events and is reading on from the last one.{' '}
            <strong>The run goes on without it.</strong>
          </p>
        </Note>
      ) : null}
      {view.data?.cancel === undefined || isOver ? null : (
        <Note tone="warn">
          <p>It was asked to stop: {view.data.cancel.reason}</p>
        </Note>
      )}
      {view.data?.carried?.problem === undefined || isOver ? null : <Carried of={view.data.carried.problem} />}
      {state === 'waiting' || isDue(progress) ? <Approval path={path} plan={view.data?.plan} run={id} /> : null}
      <Head progress={progress} view={view.data} state={state} elapsedMs={endedAt - startedAt} />
      {isOver ? <Afterwards path={path} view={view.data} progress={progress} /> : null}
      {progress.observation === undefined ? null : <Watched observation={progress.observation} />}
      <div class="columns run">
        <Section title="Timeline">
          <Timeline parts={partsOf(view.data?.plan, progress)} now={now} />
        </Section>
        <div>
          <Section title="Served to users">
            <Probes probes={progress.probes} fromAt={startedAt} toAt={endedAt} />
          </Section>
          <Section title="Checks">
            <Checks before={progress.before} after={progress.after} isOver={isOver} />
          </Section>
          <Section title="Said">
            <Log lines={progress.log} />
          </Section>
          <Told of="run" id={id} isLive={!isOver || now < tellableUntil(progress, endedAt)} />
        </div>
      </div>
    </>
  );
}

/** Why the service did not get on with it by itself. */
function Carried({ of }: { of: { readonly code: string; readonly message: string; readonly next?: string } }) {
  return (
    <Note tone="bad">
      <p>
        <strong>The service could not go on:</strong> {of.message} <code>{of.code}</code>
      </p>
      {of.next === undefined ? null : <p>{of.next}</p>}
    </Note>
  );
}

function Head({
  progress,
  view,
  state,
  elapsedMs,
}: {
  progress: Progress;
  view: RunView | undefined;
  state: string;
  elapsedMs: number;
}) {
  const { done, all } = shareDone(view?.plan, progress);
  const reason = progress.ended?.reason ?? view?.reason;
  const plan = view?.plan;
  return (
    <>
      <div class="progress" data-state={state}>
        <span class="clock">{clock(elapsedMs)}</span>
        <progress value={done} max={all} aria-label="Steps that are done" />
        <span class="soft">
          {progress.phase ?? 'planned'}, {done} of {all} steps
        </span>
      </div>
      {reason === undefined ? null : (
        <Note tone={state === 'succeeded' ? 'good' : 'bad'}>
          <p>{reason}</p>
        </Note>
      )}
      {plan === undefined || view === undefined ? null : (
        <Facts
          of={[
            ['Scope', scopeInWords(plan.scope)],
            ['Risk', <RiskBadge risk={plan.risk} />],
            ['Asked by', `${view.trigger === 'person' ? '' : `${view.trigger}, `}${personInWords(view.by)}`],
            ['Reason', plan.options.reason ?? <span class="soft">none given</span>],
            ...(plan.options.incident === undefined
              ? []
              : [['Incident', <MaybeLink to={plan.options.incident} />] as const]),
            ['Data loss', lossesOf(plan).join('; ') || 'none declared'],
            ['Plan', <a href={to.plan(plan.hash)}>as it was shown</a>],
          ]}
        />
      )}
    </>
  );
}

function RunDeeds({ path, view, state, onDone }: { path: string; view: RunView; state: string; onDone: () => void }) {
  const { stack } = view;
  const toPlan = ({ body }: { readonly body: unknown }): void => {
    const { plan } = body as { readonly plan?: { readonly hash: string } };
    if (plan !== undefined) go(to.plan(plan.hash));
  };
  return (
    <>
      {['running', 'waiting', 'queued'].includes(state) ? (
        <DeedButton
          deed={{
            label: 'Cancel',
            title: `Cancel the run of ${stack}`,
            path: `${path}/cancel`,
            kind: 'danger',
            reason: 'required',
            explain: <p>The run stops between two steps and takes back what it did.</p>,
            onDone,
          }}
        />
      ) : null}
      {['mixed', 'unfinished'].includes(state) ? (
        <DeedButton
          deed={{
            label: 'Resume',
            title: `Go on with the run of ${stack}`,
            path: `${path}/resume`,
            kind: 'primary',
            explain: <p>The run goes on from the first step that has no result.</p>,
            onDone,
          }}
        />
      ) : null}
      {view.undo === undefined ? null : (
        <>
          <DeedButton
            deed={{
              label: 'Finalize',
              title: 'Close the way back',
              path: `${path}/finalize`,
              kind: 'danger',
              typed: stack,
              body: () => ({}),
              explain: (
                <p>
                  What was kept for an undo is removed: the former data and the snapshot before. There is no undo then.
                </p>
              ),
              onDone,
            }}
          />
          <DeedButton
            deed={{
              label: 'Plan an undo',
              title: `Take this run of ${stack} back`,
              path: `${path}/undo?dryRun=true`,
              reason: 'required',
              explain: <p>Makes the plan that brings the stack to where it was before this run. It is shown first.</p>,
              onDone: toPlan,
            }}
          />
        </>
      )}
    </>
  );
}

function Afterwards({ path, view, progress }: { path: string; view: RunView | undefined; progress: Progress }) {
  const failing = progress.after.filter(({ verdict }) => verdict !== 'pass');
  return (
    <nav class="afterwards" aria-label="What is left of this run">
      <a href={`${path}/report`} target="_blank" rel="noopener">
        Report
      </a>
      <a href={`${path}/evidence`} download>
        Evidence
      </a>
      {view?.undone === undefined ? null : <a href={to.run(view.undone.byRun)}>It was taken back</a>}
      {view?.next === undefined ? null : (
        <span>
          Next: <code>{view.next}</code>
        </span>
      )}
      {failing.length === 0 ? null : <span class="bad">{failing.map(({ name }) => name).join(', ')} not passed</span>}
    </nav>
  );
}

/** Tells whoever listens and does not see: phases and the end, not every line. */
function Announcer({ progress, state }: { progress: Progress; state: string }) {
  const last = useRef('');
  const { ended, phase, observation } = progress;
  if (ended !== undefined) {
    const took = progress.startedAt === undefined ? '' : ` after ${spell(ended.at - progress.startedAt)}`;
    const since =
      observation === undefined ? '' : ` Watched afterwards: ${observation.ended?.outcome ?? 'not over yet'}.`;
    last.current = `The run ended: ${ended.outcome}${took}.${since}`;
  } else if (state === 'waiting') last.current = 'The run waits for an approval.';
  else if (phase !== undefined) last.current = `The run is in the phase ${phase}.`;
  return (
    <p class="unseen" role="status" aria-live="polite">
      {last.current}
    </p>
  );
}
