import type { StepProgress } from '../run-fold.ts';
import type { Part, Row } from '../run-parts.ts';
import { count, keyInWords, spell, toneOf } from '../words.ts';
import { Badge } from './basics.tsx';

export function Timeline({ parts, now }: { parts: readonly Part[]; now: number }) {
  const longest = Math.max(
    1,
    ...parts.flatMap(({ rows }) => rows.map(({ step }) => (step === undefined ? 0 : durationOf(step, now)))),
  );
  return (
    <ol class="timeline">
      {parts.map((part, i) => (
        <li
          key={`${part.phase} ${i}`}
          data-state={part.state}
          {...(part.state === 'now' ? { 'aria-current': 'step' } : {})}
        >
          <h3>
            {part.phase}
            <span class="soft">{part.durationMs === undefined ? '' : ` ${spell(part.durationMs)}`}</span>
          </h3>
          <ol>
            {part.rows.map((row) => (
              <StepRow key={row.id} row={row} longest={longest} now={now} />
            ))}
          </ol>
          {part.objects.length === 0 ? null : <Objects objects={part.objects} open={part.state === 'now'} />}
        </li>
      ))}
    </ol>
  );
}

function durationOf({ beganAt, durationMs }: StepProgress, now: number): number {
  return durationMs ?? Math.max(0, now - beganAt);
}

function StepRow({ row: { title, step }, longest, now }: { row: Row; longest: number; now: number }) {
  const status = step?.status ?? 'pending';
  const ms = step === undefined ? 0 : durationOf(step, now);
  return (
    <li class="step" data-status={status}>
      <span class="title">
        <span class="dot" aria-hidden="true" />
        {title}
        <span class="unseen">, {status}</span>
      </span>
      <span class="took">
        {step === undefined ? null : (
          <>
            <svg class="bar" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">
              <rect class={toneOf(status)} width={Math.max(1, (ms / longest) * 100)} height={6} />
            </svg>
            <span class="number">{spell(ms)}</span>
          </>
        )}
      </span>
      {step?.message === undefined ? null : <span class="message">{step.message}</span>}
    </li>
  );
}

const OVER: ReadonlySet<string> = new Set(['ready', 'done']);

function Objects({ objects, open }: { objects: Part['objects']; open: boolean }) {
  const waiting = objects.filter(([, { state }]) => !OVER.has(state));
  return (
    <details class="objects" open={open}>
      <summary>
        {count(objects.length, 'object')}
        {waiting.length === 0 ? ', all there' : `, ${waiting.length} on the way`}
      </summary>
      <ul>
        {objects.map(([key, { state, message }]) => (
          <li key={key}>
            <Badge word={state} tone={OVER.has(state) ? 'good' : state === 'failed' ? 'bad' : 'busy'} />
            <span class="object">{keyInWords(key)}</span>
            <span class="soft">{message}</span>
          </li>
        ))}
      </ul>
    </details>
  );
}
