import { useState } from 'preact/hooks';
import type { Change, FieldChange } from '../types.ts';
import { count, objectName, valueInWords } from '../words.ts';

const ACTION_WORDS = {
  create: 'is made',
  update: 'changes',
  replace: 'is replaced',
  delete: 'goes',
  restart: 'restarts',
} as const;
const ACTION_TONES = { create: 'good', update: 'busy', replace: 'bad', delete: 'bad', restart: 'warn' } as const;
/** More at once is not read, and makes a slow page. */
const FIRST = 40;

/** What differs, object by object, as a person reads it: from what is, to what will be. */
export function Changes({ changes, none }: { changes: readonly Change[]; none: string }) {
  const [all, setAll] = useState(false);
  if (changes.length === 0) return <p class="empty">{none}</p>;
  const shown = all ? changes : changes.slice(0, FIRST);
  return (
    <>
      <ul class="changes">
        {shown.map((change) => (
          <li key={change.key}>
            <ChangedObject change={change} open={changes.length <= 12} />
          </li>
        ))}
      </ul>
      {shown.length === changes.length ? null : (
        <button type="button" class="plain" onClick={() => setAll(true)}>
          Show {count(changes.length - shown.length, 'more object')}
        </button>
      )}
    </>
  );
}

function ChangedObject({ change, open }: { change: Change; open: boolean }) {
  const { action, ref, fields, reason } = change;
  const line = (
    <>
      <span class="mark" data-tone={ACTION_TONES[action]}>
        {action}
      </span>
      <span class="object">{objectName(ref)}</span>
      <span class="soft">
        {ACTION_WORDS[action]}
        {action === 'update' ? ` in ${count(fields.length, 'field')}` : ''}
        {reason === undefined ? '' : `: ${reason}`}
      </span>
    </>
  );
  if (fields.length === 0) return <p class="line">{line}</p>;
  return (
    <details open={open && action === 'update'}>
      <summary>{line}</summary>
      <dl class="fields">
        {fields.map((field) => (
          <Field key={field.path} field={field} />
        ))}
      </dl>
    </details>
  );
}

function Field({ field }: { field: FieldChange }) {
  return (
    <div>
      <dt>
        <code>{field.path}</code>
      </dt>
      <dd>{field.lines === undefined ? <Values field={field} /> : <Lines lines={field.lines} />}</dd>
    </div>
  );
}

function Values({ field: { kind, before, after, secret } }: { field: FieldChange }) {
  if (secret === true) return <span class="soft">a secret value, {kind}</span>;
  return (
    <>
      {kind === 'added' ? null : <del>{valueInWords(before)}</del>}
      {kind === 'changed' ? <span class="arrow"> → </span> : null}
      {kind === 'removed' ? null : <ins>{valueInWords(after)}</ins>}
    </>
  );
}

function Lines({ lines }: { lines: readonly string[] }) {
  return (
    <pre class="lines">
      {lines.map((line, i) => {
        const Tag = line.startsWith('+') ? 'ins' : line.startsWith('-') ? 'del' : 'span';
        // Lines of a frozen diff: their place is what they are.
        return <Tag key={i}>{`${line}\n`}</Tag>;
      })}
    </pre>
  );
}
