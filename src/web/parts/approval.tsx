import { lossesOf } from '../derive.ts';
import { useResource } from '../live.ts';
import { to } from '../router.ts';
import type { Plan, Review } from '../types.ts';
import { Ago, Loading, Note, ProblemNote, Section } from './basics.tsx';
import { DeedButton } from './deed.tsx';

interface ApprovalProps {
  readonly path: string;
  readonly run: string;
  readonly plan: Plan | undefined;
}

/** The decision that a run waits for. It is bound to the plan that is shown, and to nobody having decided meanwhile. */
export function Approval({ path, run, plan }: ApprovalProps) {
  const { data, etag, problem, loading, reload } = useResource<Review>(
    `${path}/approval`,
    ({ run: changed }) => changed === run,
  );
  const shown = data?.plan ?? plan;
  const need = data?.need ?? plan?.approval;
  const deed = (decision: 'approved' | 'denied', hash: string) => ({
    label: decision === 'approved' ? 'Approve' : 'Deny',
    title: decision === 'approved' ? 'Approve this plan' : 'Deny this plan',
    path: `${path}/approval`,
    kind: decision === 'approved' ? ('primary' as const) : ('danger' as const),
    reason: decision === 'approved' ? ('optional' as const) : ('required' as const),
    headers: etag === undefined ? {} : { 'if-match': etag },
    body: (reason: string) => ({ decision, plan: hash, ...(reason === '' ? {} : { reason }) }),
    explain: (
      <p>
        {decision === 'approved'
          ? 'The run begins as soon as enough people agreed.'
          : 'The run ends here, and nothing was changed.'}
      </p>
    ),
    onDone: reload,
  });
  return (
    <Section title={plan?.approval?.when === 'after' ? 'An approval is due' : 'Waits for an approval'} wide>
      <p>
        {need === undefined ? null : (
          <>
            Needs {need.count === 1 ? '' : `${need.count} people of `}
            <strong>{need.roles.join(' or ')}</strong>
          </>
        )}
        {data?.requestedBy === undefined ? null : ` · asked by ${data.requestedBy.user}`}
        {data?.requestedAt === undefined ? null : (
          <>
            {' '}
            <Ago at={data.requestedAt} />
          </>
        )}
        {shown === undefined ? null : (
          <>
            {' · '}
            <a href={to.plan(shown.hash)}>the whole plan</a>
          </>
        )}
      </p>
      {shown === undefined ? null : (
        <p>
          Data loss: <strong>{lossesOf(shown).join('; ') || 'none'}</strong>
        </p>
      )}
      {problem === undefined ? null : <ProblemNote problem={problem} />}
      {loading && data === undefined ? <Loading what="the decision" /> : null}
      {data?.because === undefined || data.role !== undefined ? null : (
        <Note tone="quiet">
          <p>You may not decide: {data.because}</p>
        </Note>
      )}
      {data?.role === undefined || problem !== undefined ? null : (
        <div class="actions">
          <DeedButton deed={deed('denied', data.plan.hash)} />
          <DeedButton deed={deed('approved', data.plan.hash)} />
        </div>
      )}
    </Section>
  );
}
