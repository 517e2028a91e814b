import { createParser, type EventSourceMessage } from 'eventsource-parser';
import type { Machine, Running } from './backstay.ts';

/** `backstay serve` as a process on a free port of loopback, where the user of the machine needs no token. */
export interface Serving {
  readonly url: string;
  readonly pid: number;
  /** What it logged so far, line by line. */
  readonly log: readonly Readonly<Record<string, unknown>>[];
  call(method: string, path: string, body?: object, headers?: Readonly<Record<string, string>>): Promise<Response>;
  /** The answer's JSON. @throws TypeError for another status */
  json<T>(status: number, method: string, path: string, body?: object): Promise<T>;
  /** Server-sent events until the reader has enough or the connection ends. */
  events(
    path: string,
    enough: (event: EventSourceMessage) => boolean,
    lastId?: string,
  ): Promise<readonly EventSourceMessage[]>;
  /** As a power cut ends it: the runs that it started go on. */
  kill(): Promise<void>;
  /** Its exit code after SIGTERM. */
  stop(): Promise<number>;
}

export async function serving(
  machine: Pick<Machine, 'start'>,
  env: Readonly<Record<string, string>> = {},
): Promise<Serving> {
  const running = machine.start(['serve', '--listen', '127.0.0.1:0'], { env });
  const log: Readonly<Record<string, unknown>>[] = [];
  const url = await urlOf(running, log);
  const call: Serving['call'] = async (method, path, body, headers = {}) =>
    await fetch(`${url}${path}`, {
      method,
      headers: { ...(body === undefined ? {} : { 'Content-Type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  const end = async (signal: NodeJS.Signals): Promise<number> => {
    running.child.kill(signal);
    return (await running.ended).code;
  };
  return {
    url,
    pid: running.child.pid ?? 0,
    log,
    call,
    json: async <T>(status: number, method: string, path: string, body?: object) => {
      const answer = await call(method, path, body);
      const text = await answer.text();
      if (answer.status !== status) throw new TypeError(`${method} ${path} answers ${answer.status}: ${text}`);
      return JSON.parse(text) as T;
    },
    events: async (path, enough, lastId) => await read(`${url}${path}`, enough, lastId),
    kill: async () => void (await end('SIGKILL')),
    stop: async () => await end('SIGTERM'),
  };
}

/** Told in its log, once it listens. */
async function urlOf({ child, ended }: Running, log: Readonly<Record<string, unknown>>[]): Promise<string> {
  let rest = '';
  return await new Promise<string>((resolve, reject) => {
    child.stderr?.on('data', (chunk: Buffer) => {
      const lines = (rest + chunk.toString()).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const said = lineOf(line);
        if (said === undefined) continue;
        log.push(said);
        if (said['event'] === 'listening') resolve(String(said['url']));
      }
    });
    void ended.then(({ stderr }) => reject(new TypeError(`it does not serve:\n${stderr}`)));
  });
}

function lineOf(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    return JSON.parse(line) as Readonly<Record<string, unknown>>;
  } catch {
    return undefined;
  }
}

async function read(
  url: string,
  enough: (event: EventSourceMessage) => boolean,
  lastId?: string,
): Promise<readonly EventSourceMessage[]> {
  const leave = new AbortController();
  const headers = lastId === undefined ? {} : { 'Last-Event-ID': lastId };
  const answer = await fetch(url, { headers, signal: leave.signal });
  if (answer.status !== 200) throw new TypeError(`${url} answers ${answer.status}: ${await answer.text()}`);
  const seen: EventSourceMessage[] = [];
  let isEnough = false;
  const parser = createParser({
    onEvent: (event) => {
      if (isEnough) return;
      seen.push(event);
      isEnough = enough(event);
    },
  });
  try {
    for await (const chunk of answer.body ?? []) {
      parser.feed(new TextDecoder().decode(chunk));
      if (isEnough) return seen;
    }
    return seen;
  } finally {
    leave.abort();
  }
}
