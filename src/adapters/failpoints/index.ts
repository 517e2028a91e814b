import type { Lock } from '../../ports/index.ts';
import { createFailpoint, type Failpoint, type FailpointSettings } from './failpoint.ts';
import { MARKS, type Mark, type MarkedPorts, type Marks } from './marks.ts';

/** Puts failpoints around ports. Made only when the environment asks for it: otherwise ports are what they are. */
export interface Failpoints {
  /** `name` is the first part of the points' names. @default the port's own */
  readonly around: <P extends Exclude<keyof MarkedPorts, 'held'>, A extends MarkedPorts[P]>(
    port: P,
    adapter: A,
    name?: string,
  ) => A;
  /** A single function that writes, such as an adapter's own way to put a file in place. */
  readonly write: <A extends readonly unknown[], R>(
    name: string,
    act: (...call: A) => Promise<R>,
    detail: (...call: A) => string,
  ) => (...call: A) => Promise<R>;
}

export function createFailpoints(settings: FailpointSettings): Failpoints {
  const failpoint = createFailpoint(settings);
  return {
    around: (port, adapter, name = port === 'lock' ? 'lease' : port) =>
      port === 'lock'
        ? (aroundLock(adapter as Lock, name, failpoint) as typeof adapter)
        : marked(adapter, MARKS[port] as Marks<typeof adapter>, name, failpoint),
    write:
      (name, act, detail) =>
      async (...call) =>
        await between(failpoint, name, detail(...call), async () => await act(...call)),
  };
}

function aroundLock(lock: Lock, name: string, failpoint: Failpoint): Lock {
  const outer = marked(lock, MARKS.lock, name, failpoint);
  return {
    look: async (...call) => await outer.look(...call),
    acquire: async (...call) => marked(await outer.acquire(...call), MARKS.held, name, failpoint),
  };
}

/** Methods keep their own `this`: some adapters have private fields, which a stand-in does not. */
function marked<P extends object>(port: P, marks: Marks<P>, name: string, failpoint: Failpoint): P {
  return new Proxy(port, {
    get: (target, property) => {
      const value: unknown = Reflect.get(target, property, target);
      if (typeof value !== 'function') return value;
      const method = value.bind(target) as (...call: readonly unknown[]) => unknown;
      const mark = (marks as Readonly<Record<PropertyKey, 'read' | Mark<(...call: readonly unknown[]) => unknown>>>)[
        property
      ];
      if (mark === undefined || mark === 'read') return method;
      return async (...call: readonly unknown[]) => {
        if (mark.unless?.(...call) === true) return await method(...call);
        return await between(
          failpoint,
          `${name}.${mark.write}`,
          mark.detail(...call),
          async () => await method(...call),
        );
      };
    },
  });
}

/** `after` is reached when the call failed, too: it may have had its effect. */
async function between<T>(failpoint: Failpoint, name: string, detail: string, act: () => Promise<T>): Promise<T> {
  failpoint.reach(`${name}.before`, detail);
  try {
    return await act();
  } finally {
    failpoint.reach(`${name}.after`, detail);
  }
}
