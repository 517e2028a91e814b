import { byUrgency } from '../derive.ts';
import { useResource } from '../live.ts';
import { Ago, Badge, Id, Loading, Note, ProblemNote, Section, Title } from '../parts/basics.tsx';
import { to } from '../router.ts';
import type { Items, PendingApproval, Proposal, StackItem } from '../types.ts';
import { count } from '../words.ts';

/** What wants somebody first, and then every stack. */
export function Stacks() {
  const stacks = useResource<Items<StackItem>>('/v1/stacks', () => true);
  const approvals = useResource<Items<PendingApproval>>('/v1/approvals', ({ run }) => run !== undefined);
  const proposals = useResource<Items<Proposal>>('/v1/proposals?state=open', () => true);
  const items = stacks.data?.items;
  return (
    <>
      <Title>Stacks</Title>
      <Waiting approvals={approvals.data?.items ?? []} proposals={proposals.data?.items ?? []} />
      {stacks.problem === undefined ? null : <ProblemNote problem={stacks.problem} retry={stacks.reload} />}
      {items === undefined ? (
        stacks.loading ? (
          <Loading what="the stacks" />
        ) : null
      ) : items.length === 0 ? (
        <p class="empty">
          There is no stack yet. A file <code>stacks/Pulumi.NAME.yaml</code> describes one.
        </p>
      ) : (
        <ul class="stacks">
          {items.toSorted(byUrgency).map((stack) => (
            <StackCard key={stack.name} stack={stack} />
          ))}
        </ul>
      )}
    </>
  );
}

function Waiting({ approvals, proposals }: { approvals: readonly PendingApproval[]; proposals: readonly Proposal[] }) {
  if (approvals.length + proposals.length === 0) return null;
  return (
    <Section title="Waits for somebody" aside={String(approvals.length + proposals.length)} wide>
      <ul class="waiting">
        {approvals.map((one) => (
          <li key={one.run}>
            <Badge word={one.standing} />
            <a href={to.run(one.run)}>
              <strong>{one.stack}</strong> to {one.target}
            </a>
            <span class="soft">
              {one.said} · asked by {one.requestedBy} · until <Ago at={one.until} />
            </span>
          </li>
        ))}
        {proposals.map((one) => (
          <li key={one.id}>
            <Badge word="proposed" tone="warn" />
            <a href={to.proposal(one.id)}>
              <strong>{one.stack}</strong> to {one.target}
            </a>
            <span class="soft">
              {one.alerts.map(({ name }) => name).join(', ')} · <Ago at={one.createdAt} />
            </span>
          </li>
        ))}
      </ul>
    </Section>
  );
}

function StackCard({ stack }: { stack: StackItem }) {
  const { name, state, run, lastRun, lastKnownGood, problem, holds = 0 } = stack;
  return (
    <li class="card">
      <header>
        <h2>
          <a href={to.stack(name)}>{name}</a>
        </h2>
        {problem === undefined ? <Badge word={state ?? 'unknown'} /> : <Badge word="unusable" tone="bad" />}
      </header>
      {problem === undefined ? null : (
        <Note tone="bad">
          <p>{problem}</p>
        </Note>
      )}
      <dl>
        <div>
          <dt>Last known good</dt>
          <dd>
            {lastKnownGood === undefined ? (
              <span class="unproven">{problem === undefined ? 'none proven' : 'unknown'}</span>
            ) : (
              <>
                <strong>{lastKnownGood.labels[0] ?? <Id id={lastKnownGood.id} />}</strong>{' '}
                <span class="soft">
                  <Ago at={lastKnownGood.capturedAt} />
                </span>
              </>
            )}
          </dd>
        </div>
        <div>
          <dt>{run === undefined ? 'Last run' : 'Run'}</dt>
          <dd>
            {run !== undefined ? (
              <a href={to.run(run)}>watch it</a>
            ) : lastRun === undefined ? (
              <span class="soft">{problem === undefined ? 'none yet' : 'unknown'}</span>
            ) : (
              <>
                <a href={to.run(lastRun.run)}>
                  <Badge word={lastRun.outcome} />
                </a>{' '}
                <span class="soft">{lastRun.endedAt === undefined ? '' : <Ago at={lastRun.endedAt} />}</span>
              </>
            )}
          </dd>
        </div>
        <div>
          <dt>Guards</dt>
          <dd class="soft">
            {stack.checks === 0 ? (
              <span class="unproven">{problem === undefined ? 'no checks' : 'unknown'}</span>
            ) : (
              count(stack.checks, 'check')
            )}
            {stack.triggers === undefined ? '' : ` · alerts ${stack.triggers}`}
            {holds === 0 ? '' : ` · ${holds} held`}
          </dd>
        </div>
      </dl>
    </li>
  );
}
