import { useRef, useState } from 'preact/hooks';
import { Problem, signIn } from '../api.ts';
import { ProblemNote, Title } from '../parts/basics.tsx';

/** Asks for a token, in place of everything else. The page keeps it no longer than it takes to send it. */
export function SignIn() {
  const [problem, setProblem] = useState<Problem>();
  const [busy, setBusy] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  const submit = async (): Promise<void> => {
    const token = field.current?.value.trim() ?? '';
    if (token === '' || busy) return;
    setBusy(true);
    try {
      await signIn(token);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      setProblem(error);
    } finally {
      if (field.current !== null) field.current.value = '';
      setBusy(false);
    }
  };
  return (
    <div class="sign-in">
      <Title>Sign in</Title>
      <p class="soft">This service wants to know who you are before it shows a stack.</p>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <label>
          Token
          <input ref={field} type="password" name="token" autocomplete="current-password" spellcheck={false} required />
        </label>
        {problem === undefined ? null : <ProblemNote problem={problem} />}
        <button type="submit" class="primary" aria-disabled={busy}>
          {busy ? 'Asking …' : 'Sign in'}
        </button>
      </form>
      <p class="soft">
        Whoever runs the service makes one with <code>backstay token create NAME</code>.
      </p>
    </div>
  );
}
