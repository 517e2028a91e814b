import { expectedOf, lossesOf } from '../derive.ts';
import type { Plan, Step } from '../types.ts';
import { count, moment, scopeInWords, spell } from '../words.ts';
import { to } from '../router.ts';
import { Badge, Facts, Id, MaybeLink, Note, Section } from './basics.tsx';
import { Changes } from './changes.tsx';

const RISK_TONES = { none: 'quiet', low: 'quiet', medium: 'warn', high: 'bad' } as const;

export function RiskBadge({ risk }: { risk: Plan['risk'] }) {
  return <Badge word={`${risk} risk`} tone={RISK_TONES[risk]} />;
}

/** The whole plan: what is at stake first, then what is done, then what differs. */
export function PlanBody({ plan }: { plan: Plan }) {
  const losses = lossesOf(plan);
  const expected = expectedOf(plan.steps);
  return (
    <>
      <Facts
        of={[
          ['Target', <strong>{plan.target.said}</strong>],
          ['Snapshot', <Id id={plan.target.id} />],
          ['Scope', scopeInWords(plan.scope)],
          ['Risk', <RiskBadge risk={plan.risk} />],
          [
            'Expected',
            expected === undefined
              ? 'not known: no run like it yet'
              : `${spell(expected.ms)} (of ${count(expected.runs, 'run')})`,
          ],
          ['Needs', needInWords(plan)],
          ...(plan.options.reason === undefined ? [] : [['Reason', plan.options.reason] as const]),
          ...(plan.options.incident === undefined
            ? []
            : [['Incident', <MaybeLink to={plan.options.incident} />] as const]),
          ...(plan.undoes === undefined
            ? []
            : [['Takes back', <a href={to.run(plan.undoes)}>{plan.undoes}</a>] as const]),
          ['Made', moment(plan.createdAt)],
        ]}
      />
      {losses.length === 0 ? (
        <Note tone="good">
          <p>No data is lost: nothing in this plan takes rows away for good.</p>
        </Note>
      ) : (
        <Note tone="bad">
          <p>
            <strong>Data may be lost for good</strong>
          </p>
          <ul>
            {losses.map((loss) => (
              <li key={loss}>{loss}</li>
            ))}
          </ul>
        </Note>
      )}
      {plan.advice === undefined ? null : (
        <Note tone="warn">
          <p>{plan.advice}</p>
        </Note>
      )}
      {plan.warnings.length === 0 ? null : (
        <Note tone="warn">
          <ul>
            {plan.warnings.map((warning) => (
              <li key={warning}>{warning}</li>
            ))}
          </ul>
        </Note>
      )}
      <Section title="What is done" aside={count(plan.steps.length, 'step')} wide>
        <Steps steps={plan.steps} />
      </Section>
      <Section title="What changes" aside={count(plan.changes.length, 'object')} wide>
        <Changes changes={plan.changes} none="No object changes; the steps above are about data, traffic or checks." />
      </Section>
    </>
  );
}

function needInWords({ approval }: Plan): string {
  if (approval === undefined) return 'nobody’s agreement';
  const people = approval.count === 1 ? '' : `${approval.count} people of `;
  const when = approval.when === 'before' ? 'before it begins' : 'afterwards';
  return `${people}${approval.roles.join(' or ')}, ${when} (${approval.severity})`;
}

function Steps({ steps }: { steps: readonly Step[] }) {
  const phases = [...new Set(steps.map(({ phase }) => phase))];
  return (
    <ol class="plan-steps">
      {phases.map((phase) => (
        <li key={phase}>
          <h3>{phase}</h3>
          <ol>
            {steps
              .filter((step) => step.phase === phase)
              .map((step) => (
                <PlannedStep key={step.id} step={step} />
              ))}
          </ol>
        </li>
      ))}
    </ol>
  );
}

function PlannedStep({ step }: { step: Step }) {
  const { title, risk, destructive, reverse, expected, dataLoss } = step;
  return (
    <li>
      <span class="title">{title}</span>
      <span class="tags">
        {destructive ? <Badge word="destructive" tone="bad" /> : null}
        {dataLoss === undefined ? null : <Badge word="data loss" tone="bad" title={dataLoss} />}
        {risk === 'medium' || risk === 'high' ? <RiskBadge risk={risk} /> : null}
        {destructive && reverse === undefined ? <span class="soft">no way back of its own</span> : null}
        <span class="soft number">{expected === undefined ? '' : `~ ${spell(expected.ms)}`}</span>
      </span>
    </li>
  );
}
