/** Where the page is. Behind the `#`, so that the service serves one file and any path before it will do. */
export type Route =
  | { readonly screen: 'stacks' }
  | { readonly screen: 'stack'; readonly stack: string }
  | { readonly screen: 'new-plan'; readonly stack: string; readonly target?: string }
  | { readonly screen: 'plan'; readonly hash: string }
  | { readonly screen: 'proposal'; readonly id: string }
  | { readonly screen: 'run'; readonly run: string }
  | { readonly screen: 'unknown'; readonly path: string };

/** Pure. */
export function parseRoute(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?', 2);
  const parts = path.split('/').filter((part) => part !== '');
  const [first, second, third] = parts.map(decoded);
  if (first === undefined) return { screen: 'stacks' };
  if (second !== undefined && parts.length === 2) {
    if (first === 'stacks') return { screen: 'stack', stack: second };
    if (first === 'plans') return { screen: 'plan', hash: second };
    if (first === 'proposals') return { screen: 'proposal', id: second };
    if (first === 'runs') return { screen: 'run', run: second };
  }
  if (first === 'stacks' && second !== undefined && third === 'plan' && parts.length === 3) {
    const target = new URLSearchParams(query).get('target');
    return { screen: 'new-plan', stack: second, ...(target === null ? {} : { target }) };
  }
  return { screen: 'unknown', path };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export const to = {
  stacks: '#/',
  stack: (stack: string): string => `#/stacks/${encodeURIComponent(stack)}`,
  newPlan: (stack: string, target?: string): string =>
    `#/stacks/${encodeURIComponent(stack)}/plan${target === undefined ? '' : `?target=${encodeURIComponent(target)}`}`,
  plan: (hash: string): string => `#/plans/${encodeURIComponent(hash)}`,
  proposal: (id: string): string => `#/proposals/${encodeURIComponent(id)}`,
  run: (run: string): string => `#/runs/${encodeURIComponent(run)}`,
} as const;
