/** The rim of the GitHub Action: reads what the runner gives, asks the service, and ends as the run ends. */
import { EnvHttpProxyAgent, fetch as send } from 'undici';
import { createClient, type Fetch } from '../../src/client/index.ts';
import { isBackstayError } from '../../src/errors/index.ts';
import { VERSION } from '../../src/version.ts';
import { workflowIdentity } from './identity.ts';
import { readInputs } from './inputs.ts';
import { githubRunner } from './runner.ts';
import { takeBack } from './take-back.ts';

const { env } = process;
const runner = githubRunner(env, (text) => void process.stdout.write(text));
const stop = new AbortController();
// The runner sends SIGINT to a job that is cancelled, and SIGTERM some seconds later.
process.once('SIGINT', () => stop.abort(new Error('cancelled')));
process.once('SIGTERM', () => stop.abort(new Error('cancelled')));

try {
  const inputs = readInputs(env);
  const dispatcher = new EnvHttpProxyAgent({ headersTimeout: 0, bodyTimeout: 0 });
  const fetch: Fetch = async (url, init) => await send(url, { ...init, dispatcher });
  const identity = workflowIdentity({ env, audience: inputs.audience, fetch, onToken: (token) => runner.mask(token) });
  const client = createClient({
    server: inputs.server,
    token: identity,
    fetch,
    userAgent: `backstay-action/${VERSION}`,
  });
  const { outcome, exitCode } = await takeBack(inputs, { client, runner, stop: stop.signal });
  if (exitCode !== 0) runner.error('Rollback', `${inputs.stack}: ${outcome} (exit ${exitCode})`);
  process.exitCode = exitCode === 0 ? 0 : 1;
} catch (error) {
  const known = isBackstayError(error) ? error : undefined;
  const message = error instanceof Error ? error.message : String(error);
  runner.error(known?.code ?? 'INTERNAL', known === undefined ? message : `${message} ${known.next}`);
  await runner.output('outcome', 'failed');
  await runner.output('exit_code', String(known?.exitCode ?? 1));
  process.exitCode = 1;
}
