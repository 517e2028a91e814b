import { BackstayError, isBackstayError } from '../errors/index.ts';
import type { ProbeSetting, ProbeVerdict, RunEventBody } from '../model/index.ts';
import type { Clock } from '../ports/index.ts';
import type { FoundTarget, RunDeps } from './deps.ts';

type ProbeDeps = Pick<RunDeps, 'clock' | 'find'> & { readonly stack: Pick<RunDeps['stack'], 'probes'> };

interface Answer {
  readonly verdict: ProbeVerdict;
  readonly reason: string;
  readonly latencyMs?: number;
}

/** Due at a monotonic millisecond. */
interface Asked {
  readonly due: number;
  answer?: Answer;
}

export interface Prober {
  /** Sends nothing more and resolves at once; what is still unanswered after more than an interval is told as unknown. */
  stop(): void;
}

/** A process that was stopped for so many intervals has measured nothing meanwhile. */
const MISSED = 3;

/**
 * Asks every probe of the stack at its interval until it is stopped, open loop: a hanging route does not slow the asking
 * down. Tells changes of verdict only, in the order in which the requests were due. Never throws and never waits for
 * anybody: a run is not to be held up by its own measuring.
 */
export function startProber({ stack, ...deps }: ProbeDeps, report: (event: RunEventBody) => void): Prober {
  const stopping = new AbortController();
  const probes = stack.probes.map((setting) => new Probe(setting, deps, report, stopping.signal));
  for (const probe of probes) void probe.run();
  return {
    stop: () => {
      for (const probe of probes) probe.close();
      stopping.abort();
    },
  };
}

class Probe {
  readonly #setting: ProbeSetting;
  readonly #find: RunDeps['find'];
  readonly #clock: Clock;
  readonly #report: (event: RunEventBody) => void;
  readonly #signal: AbortSignal;
  /** Requests without a told answer, oldest first. */
  readonly #open: Asked[] = [];
  #told: ProbeVerdict | undefined;
  #target: Promise<FoundTarget> | undefined;
  #closed = false;

  constructor(
    setting: ProbeSetting,
    { clock, find }: Omit<ProbeDeps, 'stack'>,
    report: (event: RunEventBody) => void,
    signal: AbortSignal,
  ) {
    this.#setting = setting;
    this.#clock = clock;
    this.#find = find;
    this.#report = report;
    this.#signal = signal;
  }

  async run(): Promise<void> {
    const { intervalMs } = this.#setting;
    let due = this.#clock.monotonic();
    while (!this.#closed) {
      void this.#ask(due);
      due += intervalMs;
      try {
        await this.#clock.delay(due - this.#clock.monotonic(), this.#signal);
      } catch {
        return;
      }
      const late = this.#clock.monotonic() - due;
      if (late <= MISSED * intervalMs) continue;
      // Stopped by a signal, or the machine slept. Catching up would ask now how it was then.
      this.#open.push({ due, answer: { verdict: 'unknown', reason: `nobody measured for ${Math.round(late)} ms` } });
      this.#settle();
      due += late;
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const [oldest] = this.#open;
    if (oldest === undefined || this.#told === 'unknown') return;
    if (this.#clock.monotonic() - oldest.due <= this.#setting.intervalMs) return;
    this.#tell(oldest.due, { verdict: 'unknown', reason: 'not answered yet when the run was over' });
  }

  async #ask(due: number): Promise<void> {
    const request: Asked = { due };
    this.#open.push(request);
    request.answer = await this.#answer(due);
    if (this.#closed) return;
    // Where the target is may have changed: an Ingress gets another address, a Service comes back.
    if (request.answer.verdict !== 'up') this.#target = undefined;
    this.#settle();
  }

  async #answer(due: number): Promise<Answer> {
    const { target, accept, intervalMs, timeoutMs } = this.#setting;
    try {
      const found = await this.#within(timeoutMs, (this.#target ??= this.#find(target)));
      const { status } = await found.request({ method: 'GET', timeoutMs, signal: this.#signal });
      const latencyMs = Math.round(this.#clock.monotonic() - due);
      const reason = `${found.name} answers ${status}`;
      if (accept.includes(status)) return { verdict: 'up', reason, latencyMs };
      return { verdict: 'down', reason: `${reason}, expected ${accept.join(' or ')}`, latencyMs };
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const isTimeout = isBackstayError(error, 'TIMEOUT');
      // A limit that passed while the process was stopped says nothing about the route.
      const wasStopped = isTimeout && this.#clock.monotonic() - due > timeoutMs + MISSED * intervalMs;
      const isAnswer = (isTimeout && !wasStopped) || isBackstayError(error, 'ENDPOINT_UNREACHABLE');
      return { verdict: isAnswer ? 'down' : 'unknown', reason };
    }
  }

  /** Reading where the target is has no limit of its own. */
  async #within<T>(ms: number, work: Promise<T>): Promise<T> {
    const done = new AbortController();
    const limit = this.#clock.delay(ms, AbortSignal.any([done.signal, this.#signal])).then(() => {
      throw new BackstayError('CLUSTER_UNREACHABLE', `where it is could not be read within ${ms} ms`);
    });
    try {
      return await Promise.race([work, limit]);
    } finally {
      done.abort();
      limit.catch(() => {});
    }
  }

  /** Tells what is answered, up to the oldest request that is not. */
  #settle(): void {
    for (let first = this.#open[0]; first?.answer !== undefined; first = this.#open[0]) {
      this.#open.shift();
      if (first.answer.verdict !== this.#told) this.#tell(first.due, first.answer);
    }
  }

  #tell(due: number, { verdict, reason, latencyMs }: Answer): void {
    this.#told = verdict;
    const at = new Date(this.#clock.now() - (this.#clock.monotonic() - due)).toISOString();
    const { name } = this.#setting;
    this.#report({
      type: 'probe.changed',
      name,
      verdict,
      reason,
      at,
      ...(latencyMs === undefined ? {} : { latencyMs }),
    });
  }
}
