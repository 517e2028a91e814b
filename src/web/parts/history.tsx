import { chartInWords, namesOf } from '../derive.ts';
import { useResource } from '../live.ts';
import { to } from '../router.ts';
import type { Items, PastRun, Stats } from '../types.ts';
import { count, spell } from '../words.ts';
import { Ago, Badge, Loading, ProblemNote, Scroll, Section } from './basics.tsx';
import { BarChart } from './chart.tsx';

/** What was done to a stack, how well it went and how long users noticed. */
export function History({ stack }: { stack: string }) {
  const query = `stack=${encodeURIComponent(stack)}`;
  const concerns = (changed: { stack?: string }): boolean => changed.stack === stack;
  const runs = useResource<Items<PastRun>>(`/v1/runs?${query}&limit=30`, concerns);
  const stats = useResource<Stats>(`/v1/stats?${query}&by=stack`, concerns);
  const items = runs.data?.items ?? [];
  const measured = items.filter(({ kind, outcome }) => kind === 'run' && outcome !== 'unfinished').toReversed();
  return (
    <Section title="History" aside={runs.data === undefined ? undefined : count(items.length, 'run')} wide>
      {runs.problem === undefined ? null : <ProblemNote problem={runs.problem} retry={runs.reload} />}
      {runs.data === undefined && runs.loading ? <Loading what="the runs" /> : null}
      {runs.data !== undefined && items.length === 0 ? <p class="empty">Nothing was rolled back here yet.</p> : null}
      {stats.data === undefined || stats.data.all.runs === 0 ? null : <Figures stats={stats.data} />}
      {measured.length < 2 ? null : (
        <figure>
          <figcaption class="legend">
            <span class="key" data-series="duration">
              whole run
            </span>
            <span class="key" data-series="downtime">
              users were not served
            </span>
          </figcaption>
          <BarChart
            label={chartInWords(measured)}
            names={namesOf(measured)}
            series={[
              { label: 'duration', colour: '--plain', values: measured.map(({ durationMs }) => durationMs ?? null) },
              { label: 'downtime', colour: '--bad-fill', values: measured.map(({ downMs }) => downMs ?? null) },
            ]}
          />
        </figure>
      )}
      {items.length === 0 ? null : <Runs items={items} />}
    </Section>
  );
}

function Figures({ stats: { all } }: { stats: Stats }) {
  const { successRate, duration, downtime } = all;
  return (
    <dl class="figures">
      <div>
        <dt>Succeeded</dt>
        <dd>
          {successRate === undefined ? 'none ended' : `${Math.round(successRate * 100)} %`}
          <span class="soft">
            {all.succeeded} of {all.ended}
          </span>
        </dd>
      </div>
      <div>
        <dt>Duration</dt>
        <dd>
          {duration === undefined ? 'unknown' : spell(duration.median)}
          <span class="soft">{duration === undefined ? '' : `median; 95 % within ${spell(duration.p95)}`}</span>
        </dd>
      </div>
      <div>
        <dt>Downtime</dt>
        <dd>
          {downtime === undefined ? 'not measured' : spell(downtime.meanMs)}
          <span class="soft">
            {downtime === undefined ? 'no probe' : `mean of ${downtime.measured}; worst ${spell(downtime.maxMs)}`}
          </span>
        </dd>
      </div>
      <div>
        <dt>Runs</dt>
        <dd>
          {all.runs}
          <span class="soft">{all.perMonth.toFixed(1)} a month</span>
        </dd>
      </div>
    </dl>
  );
}

function Runs({ items }: { items: readonly PastRun[] }) {
  return (
    <Scroll label="Runs, newest first">
      <table>
        <thead>
          <tr>
            <th scope="col">Run</th>
            <th scope="col">Outcome</th>
            <th scope="col">Target</th>
            <th scope="col">Took</th>
            <th scope="col">Downtime</th>
            <th scope="col">By</th>
            <th scope="col">When</th>
          </tr>
        </thead>
        <tbody>
          {items.map((run) => (
            <tr key={run.run}>
              <th scope="row">
                <a href={to.run(run.run)}>{run.run}</a>
              </th>
              <td>
                <Badge word={run.kind === 'damaged' ? 'damaged' : (run.outcome ?? 'unknown')} />
              </td>
              <td>{run.undoes === undefined ? run.target : `undoes ${run.undoes}`}</td>
              <td class="number">{run.durationMs === undefined ? '' : spell(run.durationMs)}</td>
              <td class="number">
                {run.downMs === undefined ? <span class="unproven">not measured</span> : spell(run.downMs)}
              </td>
              <td>
                {run.trigger === undefined || run.trigger === 'person' ? '' : `${run.trigger}, `}
                {run.by}
              </td>
              <td>
                <Ago at={run.startedAt} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}
