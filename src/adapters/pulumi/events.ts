import type { EngineEvent, OpType } from '@pulumi/pulumi/automation/index.js';
import type { ObjectKey } from '../../model/index.ts';

/** What the engine said about the objects while it worked, by URN name, which is the object's key. */
export interface Observed {
  readonly ops: ReadonlyMap<ObjectKey, OpType>;
  readonly failures: ReadonlyMap<ObjectKey, string>;
  /** Errors that belong to no object of the stack. */
  readonly errors: readonly string[];
  /** Milliseconds from the start to the engine's summary; undefined when there was none. */
  readonly summaryMs?: number;
}

const PACKAGE = 'kubernetes:';

/** Collects a run's events. The same resource may be told of several times: the last operation counts. */
export function collectEvents(): { readonly observed: Observed; readonly take: (event: EngineEvent) => void } {
  const began = performance.now();
  const ops = new Map<ObjectKey, OpType>();
  const failures = new Map<ObjectKey, string>();
  const errors: string[] = [];
  const observed: { -readonly [K in keyof Observed]: Observed[K] } = { ops, failures, errors };
  const keyIn = (urn: string | undefined): ObjectKey | undefined => {
    const [, , type = '', ...name] = (urn ?? '').split('::');
    return type.startsWith(PACKAGE) ? (name.join('::') as ObjectKey) : undefined;
  };
  return {
    observed,
    take(event) {
      const metadata =
        event.resOutputsEvent?.metadata ?? event.resourcePreEvent?.metadata ?? event.resOpFailedEvent?.metadata;
      const key = keyIn(metadata?.urn);
      if (metadata !== undefined && key !== undefined) ops.set(key, metadata.op);
      if (event.resOpFailedEvent !== undefined && key !== undefined && !failures.has(key))
        failures.set(key, 'the engine gave no reason');
      const said = event.diagnosticEvent;
      if (said?.severity === 'error' && said.ephemeral !== true) {
        const text = said.message.replace(/<\{%[^%]*%\}>/g, '').trim();
        const about = keyIn(said.urn);
        if (about === undefined) errors.push(text);
        else failures.set(about, text);
      }
      if (event.summaryEvent !== undefined) observed.summaryMs = performance.now() - began;
    },
  };
}
