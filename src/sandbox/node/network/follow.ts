import { BackstayError } from '../../../errors/index.ts';
import type { KubeObject } from '../../../model/index.ts';
import type { Cluster } from '../../../ports/index.ts';

export interface FollowOptions {
  readonly signal: AbortSignal;
  readonly log: (line: string) => void;
  readonly fieldSelector?: string;
  /** Must not throw for one bad object: what it throws is logged and the watch goes on. */
  readonly apply: (type: 'added' | 'modified' | 'deleted', object: KubeObject) => void;
}

/** Between two attempts of a watch that ended by an error, milliseconds. */
const RETRY_MS = 1000;

/**
 * Follows every object of a kind until the signal fires. The promise resolves once the objects of the start have been
 * seen, so that whoever awaits it begins with a full table.
 */
export async function follow(
  cluster: Cluster,
  kind: { readonly apiVersion: string; readonly kind: string },
  options: FollowOptions,
): Promise<void> {
  const served = await cluster.kindOf(kind.apiVersion, kind.kind);
  if (served === undefined) {
    throw new BackstayError(
      'SANDBOX_FAILED',
      `The API server does not serve ${kind.apiVersion} ${kind.kind}, which a node needs.`,
    );
  }
  await new Promise<void>((synced) => {
    const { signal, fieldSelector } = options;
    const once = async (): Promise<void> => {
      for await (const event of cluster.watch(served, {
        signal,
        ...(fieldSelector === undefined ? {} : { fieldSelector }),
      })) {
        if (event.type === 'synced') {
          synced();
          continue;
        }
        try {
          options.apply(event.type, event.object);
        } catch (error) {
          options.log(
            `${kind.kind} ${event.object.metadata.namespace ?? ''}/${event.object.metadata.name}: ${String(error)}`,
          );
        }
      }
    };
    void (async () => {
      while (!signal.aborted) {
        try {
          await once();
        } catch (error) {
          if (signal.aborted) break;
          options.log(`watching ${kind.kind} failed, trying again: ${String(error)}`);
          await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
        }
      }
      synced();
    })();
  });
}
