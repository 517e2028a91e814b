import type { ComponentChildren } from 'preact';
import { lossesOf, safeLink } from '../derive.ts';
import { useResource } from '../live.ts';
import { Ago, Badge, Id, Loading, Note, ProblemNote, Section, Title } from '../parts/basics.tsx';
import { DeedButton, Deeds } from '../parts/deed.tsx';
import { PlanBody, RiskBadge } from '../parts/plan-body.tsx';
import { Told } from '../parts/told.tsx';
import { go, to } from '../router.ts';
import type { Alert, Plan, Proposal } from '../types.ts';
import { count } from '../words.ts';

interface Started {
  readonly run?: string;
}

/** One plan, whole, and the button that starts it as it is shown. */
export function PlanScreen({ hash }: { hash: string }) {
  const { data: plan, problem, loading, reload } = useResource<Plan>(`/v1/plans/${encodeURIComponent(hash)}`);
  return (
    <>
      {problem === undefined ? null : <ProblemNote problem={problem} retry={reload} />}
      {plan === undefined ? (
        <>
          <Title>Plan</Title>
          {loading ? <Loading what="the plan" /> : null}
        </>
      ) : (
        <>
          <PlanHead plan={plan}>
            <DeedButton
              deed={{
                label: plan.approval?.when === 'before' ? 'Ask for approval' : 'Start this run',
                title: `Roll ${plan.stack} back to ${plan.target.said}`,
                path: plan.undoes === undefined ? '/v1/runs' : `/v1/runs/${encodeURIComponent(plan.undoes)}/undo`,
                kind: lossesOf(plan).length > 0 || plan.risk === 'high' ? 'danger' : 'primary',
                typed: plan.stack,
                body: () => ({ plan: plan.hash }),
                explain: <Stakes plan={plan} />,
                onDone: ({ body }) => toRun(body as Started),
              }}
            />
          </PlanHead>
          <PlanBody plan={plan} />
        </>
      )}
    </>
  );
}

function toRun({ run }: Started): void {
  if (run !== undefined) go(to.run(run));
}

function PlanHead({ plan, children }: { plan: Plan; children: ComponentChildren }) {
  return (
    <>
      <p class="trail">
        <a href={to.stack(plan.stack)}>{plan.stack}</a>
      </p>
      <header class="screen">
        <div>
          <Title>
            {plan.undoes === undefined ? 'Roll back' : 'Undo'} to {plan.target.said}
          </Title>
          <RiskBadge risk={plan.risk} /> <Id id={plan.hash} />
        </div>
        <Deeds stack={plan.stack}>{children}</Deeds>
      </header>
    </>
  );
}

/** What somebody should have in mind in the last moment. */
function Stakes({ plan }: { plan: Plan }) {
  const losses = lossesOf(plan);
  return (
    <>
      <p>
        {count(plan.changes.length, 'object')} and {count(plan.steps.length, 'step')}, {plan.risk} risk. It is refused
        if the stack has moved since the plan was made.
      </p>
      {losses.length === 0 ? null : (
        <Note tone="bad">
          <p>
            <strong>May be lost for good:</strong> {losses.join('; ')}
          </p>
        </Note>
      )}
    </>
  );
}

/** What an alert asks for: the alerts, the plan that was made for them, and the two answers. */
export function ProposalScreen({ id }: { id: string }) {
  const path = `/v1/proposals/${encodeURIComponent(id)}`;
  const { data, problem, loading, reload } = useResource<Proposal>(path, ({ proposal }) => proposal === id);
  if (data === undefined)
    return (
      <>
        <Title>Proposal</Title>
        {problem === undefined ? null : <ProblemNote problem={problem} retry={reload} />}
        {loading ? <Loading what="the proposal" /> : null}
      </>
    );
  const { stack, state, planDetail } = data;
  const isOpen = state === 'open';
  return (
    <>
      <p class="trail">
        <a href={to.stack(stack)}>{stack}</a>
      </p>
      <header class="screen">
        <div>
          <Title>Proposed: back to {data.target}</Title>
          <Badge word={state} /> <span class="soft">{data.because}</span>
        </div>
        <Deeds stack={stack}>
          {isOpen ? (
            <DeedButton
              deed={{
                label: 'Dismiss',
                title: 'Dismiss this proposal',
                path: `${path}/dismiss`,
                reason: 'required',
                explain: <p>Nothing is done. The alerts may propose again when they fire anew.</p>,
                onDone: reload,
              }}
            />
          ) : null}
          {isOpen && planDetail !== undefined ? (
            <DeedButton
              deed={{
                label: 'Accept and start',
                title: `Roll ${stack} back to ${data.target}`,
                path: `${path}/accept`,
                kind: lossesOf(planDetail).length > 0 ? 'danger' : 'primary',
                reason: 'optional',
                typed: stack,
                explain: <Stakes plan={planDetail} />,
                onDone: ({ body }) => toRun(body as Started),
              }}
            />
          ) : null}
        </Deeds>
      </header>
      {problem === undefined ? null : <ProblemNote problem={problem} retry={reload} />}
      {data.run === undefined ? null : (
        <Note tone="busy">
          <p>
            It became the run <a href={to.run(data.run)}>{data.run}</a>.
          </p>
        </Note>
      )}
      {data.problem === undefined ? null : (
        <Note tone="bad">
          <p>
            <strong>No plan could be made:</strong> {data.problem.message} <code>{data.problem.code}</code>
          </p>
          {data.problem.next === undefined ? null : <p>{data.problem.next}</p>}
        </Note>
      )}
      <Section title="Why" aside={count(data.alerts.length, 'alert')} wide>
        <ul class="waiting">
          {data.alerts.map((alert, i) => (
            <AlertLine key={i} alert={alert} />
          ))}
        </ul>
      </Section>
      {planDetail === undefined ? null : <PlanBody plan={planDetail} />}
      <Told of="proposal" id={id} isLive={isOpen || state === 'planning'} />
    </>
  );
}

function AlertLine({ alert: { name, status, summary, startsAt, url } }: { alert: Alert }) {
  const link = safeLink(url);
  return (
    <li>
      <Badge word={status} />
      <strong>{name}</strong>
      <span class="soft">
        {summary} · since <Ago at={startsAt} />
        {link === undefined ? null : (
          <>
            {' · '}
            <a href={link} rel="noreferrer noopener" target="_blank">
              runbook
            </a>
          </>
        )}
      </span>
    </li>
  );
}
