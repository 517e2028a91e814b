import { useMemo, useState } from 'preact/hooks';
import { ask, Problem } from '../api.ts';
import { choicesOf } from '../derive.ts';
import { useResource } from '../live.ts';
import { Note, ProblemNote, Title } from '../parts/basics.tsx';
import { go, to } from '../router.ts';
import type { Items, Plan, SnapshotRow, StackDetail } from '../types.ts';

const SCOPES = ['full', 'application', 'workers', 'config', 'flags', 'traffic', 'database', 'infrastructure'] as const;

/** Asks for what a plan needs. Making one changes nothing; it is shown before anything is done. */
export function NewPlan({ name, target }: { name: string; target?: string }) {
  const base = `/v1/stacks/${encodeURIComponent(name)}`;
  const stack = useResource<StackDetail>(base);
  const snapshots = useResource<Items<SnapshotRow>>(`${base}/snapshots?limit=200`);
  const choices = useMemo(() => choicesOf(snapshots.data?.items ?? []), [snapshots.data]);
  const severities = stack.data?.policy?.severities ?? [];
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem>();
  const [nothing, setNothing] = useState(false);
  const [picked, setPicked] = useState<string>();
  const chosen = picked ?? target ?? 'known-good';
  const listed = choices.some(([value]) => value === chosen) ? choices : [...choices, [chosen, chosen] as const];

  const submit = async (form: FormData): Promise<void> => {
    setBusy(true);
    setProblem(undefined);
    setNothing(false);
    try {
      const { body } = await ask<{ kind: string; plan?: Plan }>(`${base}/plans`, {
        method: 'POST',
        body: askedOf(form),
      });
      if (body.plan === undefined) setNothing(true);
      else go(to.plan(body.plan.hash));
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      setProblem(error);
    } finally {
      setBusy(false);
    }
  };

  return (
    <>
      <p class="trail">
        <a href={to.stack(name)}>{name}</a>
      </p>
      <Title>Plan a rollback</Title>
      <p class="soft">A plan changes nothing. It shows what would be done, and is then started as it was shown.</p>
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          // Not disabled meanwhile: whoever came by the keyboard would be thrown out of the form.
          if (!busy) void submit(new FormData(event.currentTarget));
        }}
      >
        <label>
          Target
          <select name="target" value={chosen} onChange={(event) => setPicked(event.currentTarget.value)}>
            {listed.map(([value, said]) => (
              <option key={value} value={value}>
                {said}
              </option>
            ))}
          </select>
        </label>
        <label>
          Scope
          <select name="scope">
            {SCOPES.map((scope) => (
              <option key={scope} value={scope}>
                {scope}
              </option>
            ))}
          </select>
        </label>
        <label class="wide">
          Reason
          <input name="reason" required placeholder="errors at 12 % since the release" />
        </label>
        {severities.length === 0 ? null : (
          <label>
            Severity
            <select name="severity">
              {stack.data?.policy?.requireSeverity === true ? null : <option value="">none</option>}
              {severities.map(({ name: severity }) => (
                <option key={severity} value={severity}>
                  {severity}
                </option>
              ))}
            </select>
          </label>
        )}
        <label>
          Incident (optional)
          <input name="incident" placeholder="link or number" />
        </label>
        <details class="wide">
          <summary>More</summary>
          <label class="check">
            <input type="checkbox" name="validateBefore" /> Measure the checks before, too
          </label>
          <label class="check">
            <input type="checkbox" name="emergency" /> Emergency: wait for nobody’s agreement. It is due afterwards.
          </label>
        </details>
        {problem === undefined ? null : <ProblemNote problem={problem} />}
        {nothing ? (
          <Note tone="good">
            <p>Live equals this target already: there is nothing to do.</p>
          </Note>
        ) : null}
        <div class="wide foot">
          <button type="submit" class="primary" aria-disabled={busy}>
            {busy ? 'Comparing with live …' : 'Make the plan'}
          </button>
        </div>
      </form>
    </>
  );
}

/** Pure, but for reading the form. */
function askedOf(form: FormData): unknown {
  const text = (name: string): string => {
    const value = form.get(name);
    return typeof value === 'string' ? value.trim() : '';
  };
  const given = (name: string): Readonly<Record<string, string>> => (text(name) === '' ? {} : { [name]: text(name) });
  const ticked = (name: string): Readonly<Record<string, true>> => (form.get(name) === null ? {} : { [name]: true });
  return {
    target: text('target'),
    scope: { kind: text('scope') },
    options: {
      ...given('reason'),
      ...given('severity'),
      ...given('incident'),
      ...ticked('validateBefore'),
      ...ticked('emergency'),
    },
  };
}
