import type { ComponentChildren } from 'preact';
import { useRef, useState } from 'preact/hooks';
import { type Answer, ask, newIntention, Problem } from '../api.ts';
import { mayAct } from '../derive.ts';
import { me } from '../live.ts';
import { ProblemNote } from './basics.tsx';
import { Dialog } from './dialog.tsx';

/** One thing that somebody may do to a stack, and what has to be said with it. */
export interface Deed {
  /** On the button: `Start this run`. */
  readonly label: string;
  readonly title: string;
  readonly path: string;
  readonly kind?: 'primary' | 'danger';
  /** Asked for in a field; `required`: nothing is done without. */
  readonly reason?: 'required' | 'optional';
  /** One of these goes to `body`; where there is but one, nobody is asked. */
  readonly choice?: { readonly label: string; readonly options: readonly (readonly [value: string, said: string])[] };
  /** Has to be typed: the stack's name. */
  readonly typed?: string;
  readonly body?: (reason: string, choice: string) => unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly explain?: ComponentChildren;
  readonly onDone: (answer: Answer<unknown>) => void;
}

/** What may be done to a stack, for those who may. */
export function Deeds({ stack, children }: { stack: string; children: ComponentChildren }) {
  return (
    <div class="actions">
      {mayAct(me.value, stack) ? children : <span class="soft">You may watch this stack.</span>}
    </div>
  );
}

/** A button that asks once more, does it, and says what the service said. */
export function DeedButton({ deed }: { deed: Deed }) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <button type="button" class={deed.kind ?? 'plain'} onClick={() => setOpen(true)}>
        {deed.label}
      </button>
      {open ? <DeedDialog deed={deed} onClose={() => setOpen(false)} /> : null}
    </>
  );
}

function DeedDialog({ deed, onClose }: { deed: Deed; onClose: () => void }) {
  const [reason, setReason] = useState('');
  const [typed, setTyped] = useState('');
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem>();
  const [picked, setPicked] = useState<string>();
  const options = deed.choice?.options ?? [];
  const choice = picked ?? options[0]?.[0] ?? '';
  // Of this dialog: sending it twice does it once. Another reason or choice is another intention.
  const intention = useRef({ of: '', key: newIntention() });
  const submit = async (): Promise<void> => {
    const of = JSON.stringify([reason, choice]);
    if (intention.current.of !== of) intention.current = { of, key: newIntention() };
    setBusy(true);
    setProblem(undefined);
    try {
      const said = deed.body?.(reason, choice) ?? (reason === '' ? {} : { reason });
      const headers = { 'idempotency-key': intention.current.key, ...deed.headers };
      const answer = await ask<unknown>(deed.path, { method: 'POST', body: said, headers });
      onClose();
      deed.onDone(answer);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      setProblem(error);
      setBusy(false);
    }
  };
  const ready = (deed.typed === undefined || typed === deed.typed) && (deed.reason !== 'required' || reason !== '');
  return (
    <Dialog title={deed.title} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (ready && !busy) void submit();
        }}
      >
        {deed.explain}
        {deed.choice === undefined || options.length < 2 ? null : (
          <label>
            {deed.choice.label}
            <select value={choice} onChange={(event) => setPicked(event.currentTarget.value)}>
              {options.map(([value, words]) => (
                <option key={value} value={value}>
                  {words}
                </option>
              ))}
            </select>
          </label>
        )}
        {deed.reason === undefined ? null : (
          <label>
            Reason{deed.reason === 'optional' ? ' (optional)' : ''}
            <input
              value={reason}
              required={deed.reason === 'required'}
              onInput={(event) => setReason(event.currentTarget.value)}
            />
          </label>
        )}
        {deed.typed === undefined ? null : (
          <label>
            <span>
              Type <strong>{deed.typed}</strong> to go on
            </span>
            <input
              value={typed}
              autocomplete="off"
              autocapitalize="off"
              spellcheck={false}
              onInput={(event) => setTyped(event.currentTarget.value)}
            />
          </label>
        )}
        {problem === undefined ? null : <ProblemNote problem={problem} />}
        <div class="foot">
          <button type="button" class="plain" onClick={onClose}>
            Leave it
          </button>
          {/* Not disabled while it sends: it would lose the focus, which goes back only from inside of the dialog. */}
          <button type="submit" class={deed.kind ?? 'primary'} disabled={!ready} aria-disabled={busy}>
            {busy ? 'Sending …' : deed.label}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
