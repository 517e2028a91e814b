import type { Container, Probe } from '../pods/pod-types.ts';
import { afterAttempt, type ProbeState, probeTiming, UNPROBED } from './probe-state.ts';
import { type ProbeAttempt, type ProbeTarget, runProbe } from './run-probe.ts';

export interface ProberEvents {
  /** The startup probe succeeded, or there is none. */
  started(): void;
  /** The readiness result changed. */
  ready(ready: boolean): void;
  /** An attempt failed: kind is `Startup`, `Liveness` or `Readiness`. */
  unhealthy(kind: ProbeKind, message: string): void;
  /** A liveness or startup probe reached its failure threshold: the container is to be restarted. */
  dead(kind: ProbeKind, probe: Probe): void;
}

export type ProbeKind = 'Startup' | 'Liveness' | 'Readiness';

/**
 * Between a container's start and its first success a kubelet looks once a period, 10 s by default, though a local
 * process is up in a tenth of one. These extra looks (milliseconds after the last) can only succeed: their failures
 * neither count nor make events, so thresholds mean what they mean elsewhere.
 */
const EAGER_MS: readonly number[] = [40, 60, 100, 150, 250, 400];

/** Runs the probes of one running container until `stop`. */
export class Prober {
  readonly #container: Container;
  readonly #target: ProbeTarget;
  readonly #events: ProberEvents;
  readonly #timers = new Set<NodeJS.Timeout>();
  #stopped = false;

  constructor(target: ProbeTarget, events: ProberEvents) {
    this.#container = target.container;
    this.#target = target;
    this.#events = events;
  }

  start(): void {
    const { startupProbe } = this.#container;
    if (startupProbe === undefined) this.#afterStartup();
    else this.#loop('Startup', startupProbe);
  }

  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }

  #afterStartup(): void {
    const { livenessProbe, readinessProbe } = this.#container;
    this.#events.started();
    if (readinessProbe === undefined) this.#events.ready(true);
    else this.#loop('Readiness', readinessProbe);
    if (livenessProbe !== undefined) this.#loop('Liveness', livenessProbe);
  }

  #loop(kind: ProbeKind, probe: Probe): void {
    const { initialDelaySeconds, periodSeconds } = probeTiming(probe);
    const periodMs = periodSeconds * 1000;
    const delayMs = initialDelaySeconds * 1000;
    // A program needs a moment to listen: on a node where containers start in seconds nobody sees that failure.
    const firstCountedMs = Math.max(delayMs, Math.min(periodMs, 1000));
    let state: ProbeState = UNPROBED;
    let eager = 0;
    let nextCounted = Date.now() + firstCountedMs;
    const attempt = async (): Promise<void> => {
      const counted = Date.now() >= nextCounted;
      const outcome = await runProbe(probe, this.#target);
      if (this.#stopped) return;
      if (counted) nextCounted = Math.max(nextCounted + periodMs, Date.now());
      if (outcome.ok || counted) {
        const before = state.result;
        state = afterAttempt(state, outcome.ok ? 'success' : 'failure', probe);
        if (this.#settle(kind, probe, outcome, before, state)) return;
      }
      const untilCounted = Math.max(1, nextCounted - Date.now());
      const hurry = kind !== 'Liveness' && state.result !== 'success' && state.last !== 'success';
      const wait = hurry ? Math.min(untilCounted, EAGER_MS[eager++] ?? 500) : untilCounted;
      this.#after(wait, attempt);
    };
    this.#after(kind === 'Liveness' ? firstCountedMs : delayMs, attempt);
  }

  /** Tells what an attempt that counts changed; true when this probe has done its work. */
  #settle(
    kind: ProbeKind,
    probe: Probe,
    outcome: ProbeAttempt,
    before: ProbeState['result'],
    state: ProbeState,
  ): boolean {
    if (!outcome.ok) this.#events.unhealthy(kind, outcome.message);
    if (kind === 'Readiness') {
      if (state.result !== before) this.#events.ready(state.result === 'success');
      return false;
    }
    if (state.result === 'failure') {
      this.#events.dead(kind, probe);
      return true;
    }
    if (kind === 'Startup' && state.result === 'success') {
      this.#afterStartup();
      return true;
    }
    return false;
  }

  #after(ms: number, work: () => Promise<void>): void {
    if (this.#stopped) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      void work();
    }, ms);
    this.#timers.add(timer);
  }
}
