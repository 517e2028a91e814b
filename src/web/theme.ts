import { effect, signal } from '@preact/signals';

export const THEMES = ['system', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

/** What was chosen on this machine; a browser that keeps nothing forgets it with the page. */
function remembered<T extends string>(key: string, values: readonly T[], otherwise: T): T {
  try {
    return values.find((value) => value === localStorage.getItem(key)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

function remember(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // Nothing is lost but the choice.
  }
}

export const theme = signal<Theme>(remembered('backstay.theme', THEMES, 'system'));
/** Single keys as shortcuts, for whoever does not dictate or lean on the keyboard. */
export const singleKeys = signal(remembered('backstay.keys', ['on', 'off'], 'on') === 'on');

/** Grows when colours may have changed: what is painted and not styled has to be painted again. */
export const painted = signal(0);

export function keepChoices(): void {
  effect(() => {
    document.documentElement.dataset['theme'] = theme.value;
    remember('backstay.theme', theme.value);
    painted.value = painted.peek() + 1;
  });
  effect(() => remember('backstay.keys', singleKeys.value ? 'on' : 'off'));
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    painted.value += 1;
  });
}

export function nextTheme(): void {
  theme.value = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length] ?? 'system';
}
