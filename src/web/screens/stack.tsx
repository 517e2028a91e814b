import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { choicesOf } from '../derive.ts';
import { type Resource, useResource } from '../live.ts';
import { Ago, Badge, Facts, Id, Loading, Note, ProblemNote, Scroll, Section, Title } from '../parts/basics.tsx';
import { Backups } from '../parts/backups.tsx';
import { Changes } from '../parts/changes.tsx';
import { DeedButton, Deeds } from '../parts/deed.tsx';
import { History } from '../parts/history.tsx';
import { Schedules } from '../parts/schedules.tsx';
import { SnapshotLine, SnapshotTable } from '../parts/snapshot-line.tsx';
import { to } from '../router.ts';
import type { Compared, Items, LiveStack, Proposal, SnapshotRow, StackDetail } from '../types.ts';
import { schedulesAgainMs } from '../upkeep.ts';
import { count, objectName } from '../words.ts';

/** One stack: how it is, what differs from the target, where it can go back to, and what was done to it. */
export function Stack({ name }: { name: string }) {
  const base = `/v1/stacks/${encodeURIComponent(name)}`;
  const stack = useResource<StackDetail>(base, (changed) => changed.stack === name, {
    againAfter: ({ schedules = [] }) => schedulesAgainMs(schedules, Date.now()),
  });
  const snapshots = useResource<Items<SnapshotRow>>(`${base}/snapshots?limit=200`, (changed) => changed.stack === name);
  const { data, problem } = stack;
  useAfterChange(lastTimes(data), snapshots.reload);
  return (
    <>
      <header class="screen">
        <div>
          <Title>{name}</Title>
          {data === undefined ? null : (
            <Badge word={data.problem === undefined ? (data.state ?? 'unknown') : 'unusable'} />
          )}
        </div>
        <Deeds stack={name}>
          <DeedButton
            deed={{
              label: 'Capture now',
              title: `Capture ${name} as it is`,
              path: `${base}/snapshots`,
              reason: 'required',
              explain: <p>Records everything that makes the stack behave as it does, and measures its checks.</p>,
              onDone: () => {
                stack.reload();
                snapshots.reload();
              },
            }}
          />
          <a class="button primary" href={to.newPlan(name)}>
            Plan a rollback
          </a>
        </Deeds>
      </header>
      {problem === undefined ? null : <ProblemNote problem={problem} retry={stack.reload} />}
      {data === undefined ? stack.loading ? <Loading what="the stack" /> : null : <About stack={data} />}
      <Proposals name={name} />
      <div class="columns">
        <Difference name={name} base={base} snapshots={snapshots} />
        <Health base={base} name={name} />
      </div>
      <Snapshots name={name} snapshots={snapshots} />
      <div class="columns even">
        {data?.stores === undefined || data.stores.length === 0 ? null : (
          <Backups stack={name} base={base} stores={data.stores} />
        )}
        {data?.schedules === undefined || data.schedules.length === 0 ? null : <Schedules schedules={data.schedules} />}
      </div>
      <History stack={name} />
    </>
  );
}

/** When schedules were last done, together: they may have made a snapshot, or taken some away. */
function lastTimes(stack: StackDetail | undefined): string | undefined {
  return stack?.schedules?.map(({ last }) => last?.at ?? '').join();
}

/** Calls when the value is another one than before; undefined is none. */
function useAfterChange(value: string | undefined, call: () => void): void {
  const before = useRef(value);
  useEffect(() => {
    if (value === undefined) return;
    if (before.current !== undefined && before.current !== value) call();
    before.current = value;
  }, [value]);
}

function About({ stack }: { stack: StackDetail }) {
  const { run, lastKnownGood, problem, triggers } = stack;
  return (
    <>
      {problem === undefined ? null : (
        <Note tone="bad">
          <p>{problem}</p>
        </Note>
      )}
      {run === undefined ? null : (
        <Note tone="busy">
          <p>
            A run is not done here: <a href={to.run(run)}>{run}</a>
          </p>
        </Note>
      )}
      <Facts
        of={[
          [
            'Last known good',
            lastKnownGood === undefined ? (
              <span class="unproven">none proven</span>
            ) : (
              <>
                <strong>{lastKnownGood.labels[0] ?? <Id id={lastKnownGood.id} />}</strong>{' '}
                <Ago at={lastKnownGood.capturedAt} />
              </>
            ),
          ],
          ['Namespaces', stack.namespaces.join(', ') || 'none'],
          [
            'Checks',
            stack.checks === 0 ? <span class="unproven">none: nothing can be proven</span> : String(stack.checks),
          ],
          ['Alerts', alertsInWords(triggers)],
          ['Held versions', stack.holds === undefined ? 'unknown' : String(stack.holds)],
        ]}
      />
    </>
  );
}

function alertsInWords(mode: string | undefined): string {
  if (mode === undefined) return 'start nothing';
  return mode === 'automatic' ? 'roll back by themselves' : 'propose a rollback';
}

function Proposals({ name }: { name: string }) {
  const { data } = useResource<Items<Proposal>>(
    `/v1/proposals?stack=${encodeURIComponent(name)}&state=open`,
    ({ stack }) => stack === name,
  );
  const items = data?.items ?? [];
  if (items.length === 0) return null;
  return (
    <Section title="Proposed" aside={String(items.length)} wide>
      <ul class="waiting">
        {items.map((one) => (
          <li key={one.id}>
            <Badge word={one.state} />
            <a href={to.proposal(one.id)}>
              to <strong>{one.target}</strong>
            </a>
            <span class="soft">
              {one.alerts.map(({ name: alert }) => alert).join(', ')} · <Ago at={one.createdAt} />
            </span>
          </li>
        ))}
      </ul>
    </Section>
  );
}

/** Milliseconds between two looks at the cluster, however much changes meanwhile. */
const CLUSTER_MS = 10_000;

type SnapshotsRead = Resource<Items<SnapshotRow>>;

function Difference({ name, base, snapshots }: { name: string; base: string; snapshots: SnapshotsRead }) {
  const [target, setTarget] = useState('known-good');
  const compared = useResource<Compared>(
    `${base}/compare?from=live&to=${encodeURIComponent(target)}`,
    ({ stack }) => stack === name,
    { apartMs: CLUSTER_MS },
  );
  const choices = useMemo(() => choicesOf(snapshots.data?.items ?? []), [snapshots.data]);
  return (
    <Section
      title="Live and target"
      aside={
        <label class="inline">
          Target
          <select value={target} onChange={(event) => setTarget(event.currentTarget.value)}>
            {choices.map(([value, said]) => (
              <option key={value} value={value}>
                {said}
              </option>
            ))}
          </select>
        </label>
      }
    >
      {compared.problem === undefined ? null : <ProblemNote problem={compared.problem} retry={compared.reload} />}
      {compared.data === undefined ? (
        compared.loading ? (
          <Loading what="what is live" />
        ) : null
      ) : (
        <>
          <p class="soft">
            {inShort(compared.data)} Target: <Id id={compared.data.to} /> {compared.data.labels.join(', ')}
          </p>
          {(compared.data.refusals ?? []).map(({ code, message }) => (
            <Note key={`${code} ${message}`} tone="bad">
              <p>
                {message} <code>{code}</code>
              </p>
            </Note>
          ))}
          {(compared.data.warnings ?? []).map((warning) => (
            <Note key={warning} tone="warn">
              <p>{warning}</p>
            </Note>
          ))}
          <Changes changes={compared.data.changes} none="Live equals the target, field by field." />
        </>
      )}
    </Section>
  );
}

function inShort({ changes }: Compared): string {
  if (changes.length === 0) return 'Nothing differs.';
  return `${count(changes.length, 'object')} ${changes.length === 1 ? 'differs' : 'differ'}; each line says what going back would do.`;
}

function Health({ base, name }: { base: string; name: string }) {
  const [measure, setMeasure] = useState(false);
  const { data, problem, loading, reload } = useResource<LiveStack>(
    `${base}/live${measure ? '?checks=true' : ''}`,
    // Checks may ask a lot of the stack: they are measured when somebody says so.
    ({ stack }) => !measure && stack === name,
    { apartMs: CLUSTER_MS },
  );
  return (
    <Section
      title="Health now"
      aside={
        <button type="button" class="plain" onClick={() => (measure ? reload() : setMeasure(true))}>
          Measure the checks
        </button>
      }
    >
      {problem === undefined ? null : <ProblemNote problem={problem} retry={reload} />}
      {data === undefined ? (
        loading ? (
          <Loading what="the cluster" />
        ) : null
      ) : (
        <>
          <p class="soft">
            Seen <Ago at={data.at} />
          </p>
          {data.workloads.length === 0 ? <p class="empty">No workload was found.</p> : null}
          <ul class="health">
            {data.workloads.map((one) => (
              <li key={objectName(one)}>
                <Badge word={one.health.state} />
                <span class="object">{objectName(one)}</span>
                <span class="soft">{one.health.reason}</span>
              </li>
            ))}
            {(data.checks ?? []).map((check) => (
              <li key={`check ${check.name}`}>
                <Badge word={check.verdict} />
                <span class="object">{check.name}</span>
                <span class="soft">{check.reason}</span>
              </li>
            ))}
          </ul>
          {data.checks === undefined ? (
            <p class="soft">Checks were not measured just now: how they stand is unknown.</p>
          ) : null}
        </>
      )}
    </Section>
  );
}

function Snapshots({ name, snapshots }: { name: string; snapshots: SnapshotsRead }) {
  const { data, problem, reload, loading } = snapshots;
  const rows = data?.items ?? [];
  return (
    <Section title="Snapshots" aside={data === undefined ? undefined : String(rows.length)} wide>
      {problem === undefined ? null : <ProblemNote problem={problem} retry={reload} />}
      {data === undefined && loading ? <Loading what="the snapshots" /> : null}
      {data !== undefined && rows.length === 0 ? (
        <p class="empty">There is none yet, and so no way back. Capture the stack while it is well.</p>
      ) : null}
      {rows.length === 0 ? null : (
        <>
          <SnapshotLine rows={rows} />
          <Scroll label="Snapshots, as a table">
            <SnapshotTable stack={name} rows={rows.slice(0, 12)} />
          </Scroll>
        </>
      )}
    </Section>
  );
}
