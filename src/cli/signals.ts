import { BackstayError } from '../errors/index.ts';

export interface StopSignals {
  /** First Ctrl-C or SIGTERM: stop between two steps. */
  readonly stop: AbortSignal;
  /** The second one: break off what is under way. */
  readonly abort: AbortSignal;
  release(): void;
}

/** The first signal asks for an orderly stop, the second breaks off. Nothing is killed in the middle without being asked twice. */
export function stopSignals(process: NodeJS.Process, tell: (line: string) => void): StopSignals {
  const stop = new AbortController();
  const abort = new AbortController();
  const onSignal = (signal: NodeJS.Signals): void => {
    const reason = new BackstayError('CANCELLED', `Stopped by ${signal}.`, { details: { signal } });
    if (stop.signal.aborted) {
      tell(`${signal} again: breaking off.`);
      abort.abort(reason);
      return;
    }
    tell(`${signal}: stopping after the step under way. Once more breaks it off.`);
    stop.abort(reason);
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return {
    stop: stop.signal,
    abort: abort.signal,
    release: () => {
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
    },
  };
}
