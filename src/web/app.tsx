import { useEffect, useRef, useState } from 'preact/hooks';
import { signedOut, signOut } from './api.ts';
import { Help, useShortcuts } from './help.tsx';
import { hearing, heardAt, me, useResource } from './live.ts';
import { route, to, type Route } from './router.ts';
import { Title } from './parts/basics.tsx';
import { NewPlan } from './screens/new-plan.tsx';
import { PlanScreen, ProposalScreen } from './screens/plan.tsx';
import { Run } from './screens/run.tsx';
import { SignIn } from './screens/sign-in.tsx';
import { Stack } from './screens/stack.tsx';
import { Stacks } from './screens/stacks.tsx';
import { nextTheme, theme } from './theme.ts';
import type { Me } from './types.ts';

const TITLES: Readonly<Record<Route['screen'], (route: never) => string>> = {
  stacks: () => 'Stacks',
  stack: ({ stack }: { stack: string }) => stack,
  'new-plan': ({ stack }: { stack: string }) => `Plan for ${stack}`,
  plan: () => 'Plan',
  proposal: () => 'Proposal',
  run: ({ run }: { run: string }) => `Run ${run}`,
  unknown: () => 'Not found',
};

export function App() {
  const [help, setHelp] = useState(false);
  const main = useRef<HTMLElement>(null);
  useShortcuts(() => setHelp(true));
  const at = route.value;
  const isOut = signedOut.value;
  const name = JSON.stringify(at);
  const first = useRef(true);
  useEffect(() => {
    document.title = `${isOut ? 'Sign in' : TITLES[at.screen](at as never)} · Backstay`;
    // Whoever reads by ear or by keyboard begins at the new screen, and not where the old one was left.
    if (!first.current) main.current?.querySelector('h1')?.focus({ preventScroll: true });
    if (!first.current) scrollTo(0, 0);
    first.current = false;
  }, [name, isOut]);
  return (
    <>
      <a
        class="button skip"
        href="#main"
        onClick={(event) => {
          // What is behind the # is where the page is.
          event.preventDefault();
          main.current?.focus();
        }}
      >
        Skip to the content
      </a>
      <TopBar onHelp={() => setHelp(true)} isOut={isOut} />
      <Connection />
      <main ref={main} tabIndex={-1} id="main">
        {isOut ? <SignIn /> : <Screen key={name} at={at} />}
      </main>
      {help ? <Help onClose={() => setHelp(false)} /> : null}
    </>
  );
}

function Screen({ at }: { at: Route }) {
  switch (at.screen) {
    case 'stacks':
      return <Stacks />;
    case 'stack':
      return <Stack name={at.stack} />;
    case 'new-plan':
      return <NewPlan name={at.stack} {...(at.target === undefined ? {} : { target: at.target })} />;
    case 'plan':
      return <PlanScreen hash={at.hash} />;
    case 'proposal':
      return <ProposalScreen id={at.id} />;
    case 'run':
      return <Run id={at.run} />;
    case 'unknown':
      return (
        <>
          <Title>There is no such page</Title>
          <p>
            Nothing is at <code>{at.path}</code>. <a href={to.stacks}>All stacks</a>
          </p>
        </>
      );
  }
}

function TopBar({ onHelp, isOut }: { onHelp: () => void; isOut: boolean }) {
  return (
    <header class="top">
      <a class="brand" href={to.stacks} aria-label="Backstay, all stacks">
        <svg viewBox="0 0 32 32" aria-hidden="true">
          <path d="M11 5v22M11 6 26 27M6 27h21" />
        </svg>
        <span>Backstay</span>
      </a>
      <nav aria-label="Main">
        <a href={to.stacks}>Stacks</a>
      </nav>
      <div class="tools">
        {isOut ? null : <Who />}
        <button type="button" class="plain" onClick={nextTheme} aria-label={`Colours: ${theme.value}. Change them`}>
          ◐ {theme.value}
        </button>
        <button type="button" class="plain" onClick={onHelp} aria-label="Keyboard shortcuts">
          ?
        </button>
      </div>
    </header>
  );
}

function Who() {
  const { data } = useResource<Me>('/v1/me');
  useEffect(() => {
    me.value = data;
    return () => {
      me.value = undefined;
    };
  }, [data]);
  if (data === undefined) return null;
  const { name, id } = data.principal;
  return (
    <span class="who">
      <span title={id}>{name}</span>
      {id.startsWith('local:') ? null : (
        <button type="button" class="plain" onClick={() => void signOut()}>
          Sign out
        </button>
      )}
    </span>
  );
}

/** Whether what is on the page is still true. */
function Connection() {
  const isLost = hearing.value === 'offline' && !signedOut.value;
  return (
    <div class="connection" role="status" aria-live="polite">
      {isLost ? (
        <p>
          <strong>Offline.</strong> The service cannot be heard; what you see is from{' '}
          {new Date(heardAt.value).toISOString().slice(11, 19)} UTC. Trying again …
        </p>
      ) : null}
    </div>
  );
}
