import type { Fetch } from '../../src/client/index.ts';
import { BackstayError } from '../../src/errors/index.ts';

interface Settings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly audience: string;
  readonly fetch: Fetch;
  /** Told each new token, so that logs hide it. */
  readonly onToken: (token: string) => void;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

/** A token that ends so soon is not sent any more. Milliseconds. */
const MARGIN = 60_000;

/**
 * Tokens in which GitHub says which workflow of which repository runs, for which environment: made out to one audience, good
 * for minutes, and asked for again when a run takes longer. Nothing is stored in the repository. @throws ACCESS_UNPROVEN
 */
export function workflowIdentity({ env, audience, fetch, onToken, now = Date.now }: Settings): () => Promise<string> {
  const { ACTIONS_ID_TOKEN_REQUEST_URL: url, ACTIONS_ID_TOKEN_REQUEST_TOKEN: secret } = env;
  let known: { readonly token: string; readonly until: number } | undefined;
  const ask = async (): Promise<string> => {
    if (url === undefined || secret === undefined)
      throw new BackstayError('ACCESS_UNPROVEN', 'The runner gives this job no identity.', {
        next: 'Add `permissions: { id-token: write }` to the job.',
      });
    const asked = new URL(url);
    asked.searchParams.set('audience', audience);
    const answer = await fetch(asked.href, {
      method: 'GET',
      redirect: 'manual',
      headers: { authorization: `Bearer ${secret}`, accept: 'application/json' },
      signal: AbortSignal.timeout(30_000),
    });
    const token = answer.status === 200 ? tokenIn(new TextDecoder().decode(await answer.arrayBuffer())) : undefined;
    if (token !== undefined) return token;
    throw new BackstayError('ACCESS_UNPROVEN', `The runner was asked for an identity and answered ${answer.status}.`, {
      next: 'Run the job again; GitHub makes its tokens.',
    });
  };
  return async () => {
    if (known !== undefined && now() < known.until - MARGIN) return known.token;
    const token = await ask();
    onToken(token);
    known = { token, until: endOf(token) };
    return token;
  };
}

function tokenIn(text: string): string | undefined {
  try {
    const { value } = JSON.parse(text) as { readonly value?: unknown };
    return typeof value === 'string' && value !== '' ? value : undefined;
  } catch {
    return undefined;
  }
}

/** When it ends, as it says itself; the service alone proves it. Milliseconds; 0 where it does not say. */
function endOf(token: string): number {
  try {
    const payload = Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8');
    const { exp } = JSON.parse(payload) as { readonly exp?: unknown };
    return typeof exp === 'number' ? exp * 1000 : 0;
  } catch {
    return 0;
  }
}
