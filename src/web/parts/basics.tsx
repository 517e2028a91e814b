import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';
import type { Problem } from '../api.ts';
import { safeLink } from '../derive.ts';
import { useNow } from '../live.ts';
import { hasMoved } from '../router.ts';
import { ago, moment, shortDigest, type Tone, toneOf } from '../words.ts';

/** A word with its colour and its shape; whoever sees neither still has the word. */
export function Badge({ word, tone, title }: { word: string; tone?: Tone; title?: string }) {
  return (
    <span class="badge" data-tone={tone ?? toneOf(word)} {...(title === undefined ? {} : { title })}>
      {word}
    </span>
  );
}

export function Ago({ at }: { at: string }) {
  const now = useNow(30_000);
  return (
    <time dateTime={at} title={moment(at)}>
      {ago(at, now)}
    </time>
  );
}

export function Id({ id }: { id: string }) {
  return (
    <code class="id" title={id}>
      {id.startsWith('sha256:') ? shortDigest(id) : id}
    </code>
  );
}

/** What went wrong and what to do, said at once to whoever only listens. */
export function ProblemNote({ problem, retry }: { problem: Problem; retry?: () => void }) {
  return (
    <div class="note" data-tone="bad" role="alert">
      <p>
        <strong>{problem.message}</strong> <code>{problem.code}</code>
      </p>
      {problem.next === undefined ? null : <p>{problem.next}</p>}
      {retry === undefined ? null : (
        <button type="button" class="plain" onClick={retry}>
          Try again
        </button>
      )}
    </div>
  );
}

export function Note({ tone, children }: { tone: Tone; children: ComponentChildren }) {
  return (
    <div class="note" data-tone={tone}>
      {children}
    </div>
  );
}

export function Loading({ what }: { what: string }) {
  return (
    <p class="loading" role="status">
      Reading {what} …
    </p>
  );
}

interface SectionProps {
  readonly title: string;
  readonly aside?: ComponentChildren;
  readonly children: ComponentChildren;
  readonly wide?: boolean;
}

/** A part of a screen, with a heading by which it is found. */
export function Section({ title, aside, children, wide = false }: SectionProps) {
  const id = useId();
  return (
    <section class={wide ? 'panel wide' : 'panel'} aria-labelledby={id}>
      <header>
        <h2 id={id}>{title}</h2>
        {aside === undefined ? null : <div class="aside">{aside}</div>}
      </header>
      {children}
    </section>
  );
}

export function Facts({ of }: { of: readonly (readonly [string, ComponentChildren])[] }) {
  return (
    <dl class="facts">
      {of.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** Wide things scroll by themselves, and are reached by keyboard to do so. */
export function Scroll({ label, children }: { label: string; children: ComponentChildren }) {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={label}>
      {children}
    </div>
  );
}

/** What came from people or alerts and may be an address: followed only where it leads to a page. */
export function MaybeLink({ to }: { to: string }) {
  const link = safeLink(to);
  if (link === undefined) return to;
  return (
    <a href={link} rel="noreferrer noopener" target="_blank">
      {to}
    </a>
  );
}

/** What a screen is. It has the focus when the screen comes in and nothing else has it: there reading begins. */
export function Title({ children }: { children: ComponentChildren }) {
  const ref = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (hasMoved && document.activeElement === document.body) ref.current?.focus({ preventScroll: true });
  }, []);
  return (
    <h1 ref={ref} tabIndex={-1}>
      {children}
    </h1>
  );
}
