import { BackstayError, isBackstayError } from '../errors/index.ts';
import { fill, type HookAction, type HookSetting, type Json, type KubeObject, type ObjectRef } from '../model/index.ts';
import type { Clock, Cluster, Exec, HttpClient, KeyReader } from '../ports/index.ts';
import { askTarget } from './http-target.ts';
import { postToWebhook } from './incoming-webhook.ts';
import { restartWorkloads } from './restart.ts';
import { fillAll } from './template.ts';
import { openTicket } from './ticket.ts';

/** Characters of a command's output or an answer that are kept in the journal. */
const KEPT_OUTPUT = 4_000;

export interface HookContext {
  readonly cluster: Cluster;
  readonly http: HttpClient;
  readonly exec: Exec;
  readonly keys: KeyReader;
  readonly clock: Clock;
  /** For names without a namespace. */
  readonly namespace: string;
  /** Working directory of commands: the stack file's. */
  readonly baseDir: string;
  readonly run: string;
  /** Counts from 1, over resumes: above it, a former attempt may have had its effect. */
  readonly attempt: number;
  readonly values: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

export interface HookResult {
  /** One line for people. */
  readonly message: string;
  /** For the journal and the report; never secrets. */
  readonly result: Json;
}

/**
 * Runs a hook within its time limit. At least once: every request carries the run's id (`idempotency-key`), by which its
 * receiver can tell a repeat.
 * @throws HOOK_FAILED, TIMEOUT, ENDPOINT_UNREACHABLE, TARGET_UNRESOLVED, KEY_MISSING.
 */
export async function runHook(hook: HookSetting, context: HookContext): Promise<HookResult> {
  const limit = AbortSignal.timeout(hook.timeoutMs);
  const bounded = { ...context, signal: AbortSignal.any([limit, context.signal]) };
  try {
    return await act(hook, hook.action, bounded);
  } catch (error) {
    if (context.signal.aborted) throw context.signal.reason;
    if (limit.aborted && !isBackstayError(error, 'TIMEOUT')) {
      throw new BackstayError('TIMEOUT', `hook ${hook.name} did not end within ${hook.timeoutMs} ms`, { cause: error });
    }
    throw error;
  }
}

async function act(hook: HookSetting, action: HookAction, context: HookContext): Promise<HookResult> {
  switch (action.kind) {
    case 'http':
      return await request(hook, action, context);
    case 'command':
      return await command(hook, action, context);
    case 'restart':
      return await restart(hook, action, context);
    case 'announce':
      return await announce(hook, action, context);
    case 'ticket': {
      const token = await context.keys.read(action.token);
      const { url, isNew } = await openTicket(action, { ...context, token, timeoutMs: hook.timeoutMs });
      return { message: isNew ? `opened ${url}` : `${url} was open already`, result: { url } };
    }
  }
}

type Action<K extends HookAction['kind']> = Extract<HookAction, { kind: K }>;

async function request(hook: HookSetting, action: Action<'http'>, context: HookContext): Promise<HookResult> {
  const { values, signal } = context;
  const target = { ...action.target, url: fill(action.target.url, values) };
  const body = action.body === undefined ? undefined : fillAll(action.body, values);
  const headers = fillAll(action.headers ?? {}, values) as Record<string, string>;
  const answer = await askTarget(
    target,
    {
      method: action.method,
      headers: {
        ...(body === undefined || typeof body === 'string' ? {} : { 'content-type': 'application/json' }),
        'idempotency-key': `${context.run}/${hook.name}`,
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      timeoutMs: hook.timeoutMs,
      signal,
    },
    context,
  );
  if (!action.accept.includes(answer.status)) {
    const said = `hook ${hook.name}: ${action.method} ${withoutQuery(target.url)} answers ${answer.status}`;
    throw new BackstayError('HOOK_FAILED', `${said}, expected ${action.accept.join(' or ')}`, {
      details: { body: bounded(answer.body) },
    });
  }
  return {
    message: `${action.method} ${withoutQuery(target.url)} answers ${answer.status}`,
    result: { status: answer.status },
  };
}

async function command(hook: HookSetting, action: Action<'command'>, context: HookContext): Promise<HookResult> {
  const { run, values, baseDir, signal, exec } = context;
  const words = action.command.map((word) => fill(word, values));
  const own = { BACKSTAY_RUN: run, BACKSTAY_STACK: values['stack'] ?? '', BACKSTAY_TARGET: values['to'] ?? '' };
  const env = { ...own, ...(fillAll(action.env ?? {}, values) as Record<string, string>) };
  const { exitCode, stdout, stderr } = await exec.run(words, { env, cwd: baseDir, timeoutMs: hook.timeoutMs, signal });
  const output = { exitCode, stdout: bounded(stdout), stderr: bounded(stderr) };
  if (exitCode === 0) return { message: `${words[0] ?? ''} ended with 0`, result: output };
  const last = (stderr.trim() || stdout.trim()).split('\n').at(-1) ?? '';
  throw new BackstayError(
    'HOOK_FAILED',
    `hook ${hook.name}: ${words[0] ?? ''} ended with ${exitCode}${last === '' ? '' : `: ${last}`}`,
    {
      details: output,
    },
  );
}

async function restart(hook: HookSetting, action: Action<'restart'>, context: HookContext): Promise<HookResult> {
  const { cluster, run, clock, signal } = context;
  const workloads: ObjectRef[] = [];
  for (const name of action.workloads) workloads.push(await findWorkload(name, context));
  // By hook too: two hooks of one run may each restart the same workload on purpose.
  const token = `${run}/${hook.name}`;
  await restartWorkloads(cluster, { workloads, token, signal, now: clock.now() });
  return { message: `restarted ${action.workloads.join(', ')}`, result: { workloads: action.workloads } };
}

const WORKLOAD_KINDS = ['Deployment', 'StatefulSet', 'DaemonSet'] as const;

/** `gateway`, or `statefulset/gateway` where two kinds share a name. @throws HOOK_FAILED */
async function findWorkload(said: string, { cluster, namespace }: HookContext): Promise<ObjectRef> {
  const [kindOrName = '', name = kindOrName] = said.split('/', 2);
  const kinds = said.includes('/')
    ? WORKLOAD_KINDS.filter((kind) => kind.toLowerCase() === kindOrName.toLowerCase())
    : WORKLOAD_KINDS;
  const refs = kinds.map((kind) => ({ apiVersion: 'apps/v1', kind, namespace, name }));
  const found: KubeObject[] = (await Promise.all(refs.map(async (ref) => await cluster.get(ref)))).filter(
    (o) => o !== undefined,
  );
  if (found.length === 1) return { apiVersion: 'apps/v1', kind: (found[0] as KubeObject).kind, namespace, name };
  const what =
    found.length === 0
      ? `there is no workload ${said} in ${namespace}`
      : `${said} names several workloads; write kind/name`;
  throw new BackstayError('HOOK_FAILED', what);
}

async function announce(hook: HookSetting, action: Action<'announce'>, context: HookContext): Promise<HookResult> {
  const { http, keys, values, run, signal } = context;
  const name = `hook ${hook.name}: the webhook`;
  const text = fill(action.text, values);
  const said = { text, ...(action.channel === undefined ? {} : { channel: action.channel }) };
  const { status } = await postToWebhook({
    http,
    name,
    url: await keys.read(action.webhook),
    ...said,
    id: `${run}/${hook.name}`,
    timeoutMs: hook.timeoutMs,
    signal,
  });
  if (status < 200 || status >= 300) throw new BackstayError('HOOK_FAILED', `${name} answers ${status}`);
  return { message: 'announced', result: said };
}

function bounded(text: string): string {
  return text.length <= KEPT_OUTPUT ? text : `[…]${text.slice(-KEPT_OUTPUT)}`;
}

function withoutQuery(url: string): string {
  return url.split('?', 1)[0] ?? url;
}
