import { useEffect } from 'preact/hooks';
import { Dialog } from './parts/dialog.tsx';
import { go, to } from './router.ts';
import { nextTheme, singleKeys } from './theme.ts';

interface Shortcut {
  readonly keys: readonly string[];
  readonly says: string;
}

const SHORTCUTS: readonly Shortcut[] = [
  { keys: ['?'], says: 'this list' },
  { keys: ['g', 's'], says: 'go to the stacks' },
  { keys: ['g', 'b'], says: 'go back' },
  { keys: ['m'], says: 'to the content of the page' },
  { keys: ['p'], says: 'plan a rollback of the stack that is shown' },
  { keys: ['t'], says: 'change the colours' },
  { keys: ['Esc'], says: 'close what is open' },
];

/** A second key counts as one word with the first for so long. */
const PAIR_MS = 1_200;

/** Single keys, but not while somebody writes, holds another key or has a dialog open. */
export function useShortcuts(onHelp: () => void): void {
  useEffect(() => {
    let before = { key: '', at: 0 };
    const listener = (event: KeyboardEvent): void => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
      if (!singleKeys.peek() || isWriting(event.target) || document.querySelector('dialog[open]') !== null) return;
      const pair = event.timeStamp - before.at < PAIR_MS ? `${before.key} ${event.key}` : '';
      before = { key: event.key, at: event.timeStamp };
      if (pair === 'g s') return go(to.stacks);
      if (pair === 'g b') return history.back();
      if (event.key === '?') return onHelp();
      if (event.key === 't') return nextTheme();
      if (event.key === 'm') return document.querySelector<HTMLElement>('#main')?.focus();
      if (event.key === 'p') document.querySelector<HTMLElement>('a[href$="/plan"].button')?.click();
    };
    addEventListener('keydown', listener);
    return () => removeEventListener('keydown', listener);
  }, [onHelp]);
}

function isWriting(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches('input, select, textarea, [contenteditable]');
}

export function Help({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="Keyboard" onClose={onClose}>
      <dl class="keys">
        {SHORTCUTS.map(({ keys, says }) => (
          <div key={says}>
            <dt>
              {keys.map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{says}</dd>
          </div>
        ))}
      </dl>
      <label class="check">
        <input
          type="checkbox"
          checked={singleKeys.value}
          onChange={(event) => {
            singleKeys.value = event.currentTarget.checked;
          }}
        />{' '}
        Single keys do something
      </label>
      <p class="soft">Everything is reached with Tab and Enter as well.</p>
    </Dialog>
  );
}
