import { computed, signal } from '@preact/signals';
import { parseRoute } from './routes.ts';

export { type Route, to } from './routes.ts';

const hash = signal(location.hash);
/** Whether somebody went from one screen to another: the first one takes no focus from the browser. */
export let hasMoved = false;

addEventListener('hashchange', () => {
  hasMoved = true;
  hash.value = location.hash;
});

export const route = computed(() => parseRoute(hash.value));

export function go(target: string): void {
  location.hash = target;
}
