import { type Change, displayName, type KubeObject, keyOf } from '../model/index.ts';
import type { Refusal } from './shape.ts';
import { imagesOf } from './workloads.ts';

/** What is known about an image without pulling it. */
export type ImageState =
  | { readonly state: 'present'; readonly where: string }
  /** A node tried and failed, or its name cannot be one. */
  | { readonly state: 'unpullable'; readonly reason: string }
  | { readonly state: 'unknown' };

export type ImageProbe = (images: readonly string[]) => Promise<ReadonlyMap<string, ImageState>>;

const FAILED_TO_PULL = new Set(['ImagePullBackOff', 'ErrImagePull', 'InvalidImageName', 'ErrImageNeverPull']);

/** Images that a plan brings: those of created, updated and replaced workloads which the live workload does not run. */
export function newImages(
  changes: readonly Change[],
  desired: readonly KubeObject[],
): ReadonlyMap<string, readonly string[]> {
  const byKey = new Map(desired.map((object) => [keyOf(object), object]));
  const found = new Map<string, readonly string[]>();
  for (const { key, action, live } of changes) {
    const wanted = byKey.get(key);
    if (wanted === undefined || action === 'restart' || action === 'delete') continue;
    const running = new Set(live === undefined || action === 'replace' ? [] : imagesOf(live).map(({ image }) => image));
    for (const { image } of imagesOf(wanted)) {
      if (!running.has(image)) found.set(image, [...new Set([...(found.get(image) ?? []), displayName(key)])]);
    }
  }
  return found;
}

/**
 * Judges the images of a plan. One that cannot be pulled refuses. One of which nothing is known refuses as well, because a
 * guard that cannot decide does not let pass, unless it was allowed; then it is told.
 */
export function judgeImages(
  images: ReadonlyMap<string, readonly string[]>,
  states: ReadonlyMap<string, ImageState>,
  { allowUnknown }: { readonly allowUnknown: boolean },
): { readonly warnings: readonly string[]; readonly refusals: readonly Refusal[] } {
  const warnings: string[] = [];
  const refusals: Refusal[] = [];
  for (const [image, workloads] of [...images].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const known = states.get(image) ?? { state: 'unknown' };
    const who = workloads.join(', ');
    if (known.state === 'unknown') {
      const told = `image ${image} (${who}) is on no node: whether it can be pulled is not known`;
      if (allowUnknown) warnings.push(told);
      else refusals.push({ code: 'IMAGE_UNKNOWN', message: `${told}.`, details: { image, workloads } });
    }
    if (known.state !== 'unpullable') continue;
    refusals.push({
      code: 'IMAGE_UNPULLABLE',
      message: `image ${image}, which ${who} needs, cannot be pulled: ${known.reason}.`,
      details: { image, workloads },
    });
  }
  return { warnings, refusals };
}

interface ContainerStatus {
  readonly name: string;
  readonly image?: string;
  readonly imageID?: string;
  readonly state?: { readonly waiting?: { readonly reason?: string; readonly message?: string } };
}

/**
 * What nodes and pods say about images: on a node or run by a pod now is present; a pod that waits for a pull that fails
 * makes it unpullable, whatever an old node still has.
 */
export function imageStates(
  images: readonly string[],
  nodes: readonly KubeObject[],
  pods: readonly KubeObject[],
): ReadonlyMap<string, ImageState> {
  const present = new Map<string, string>();
  for (const node of nodes) {
    const held =
      (node['status'] as { readonly images?: readonly { readonly names?: readonly string[] }[] } | undefined)?.images ??
      [];
    for (const name of held.flatMap(({ names }) => names ?? []))
      present.set(fullName(name), `on node ${node.metadata.name}`);
  }
  const failed = new Map<string, string>();
  for (const pod of pods) {
    const asked = new Map(containersOf(pod).map(({ name, image }) => [name, image]));
    for (const status of statusesOf(pod)) {
      // The status repeats what the node resolved; what was asked for stands in the spec.
      const image = asked.get(status.name) ?? status.image;
      if (image === undefined) continue;
      const waiting = status.state?.waiting;
      if (waiting?.reason !== undefined && FAILED_TO_PULL.has(waiting.reason)) {
        const why = waiting.message === undefined ? waiting.reason : `${waiting.reason}, ${waiting.message}`;
        failed.set(fullName(image), `pod ${pod.metadata.name}: ${why}`);
      } else if (status.imageID) present.set(fullName(image), `run by pod ${pod.metadata.name}`);
    }
  }
  return new Map(images.map((image) => [image, stateOf(fullName(image), failed, present)]));
}

function stateOf(image: string, failed: ReadonlyMap<string, string>, present: ReadonlyMap<string, string>): ImageState {
  const reason = failed.get(image);
  if (reason !== undefined) return { state: 'unpullable', reason };
  const where = present.get(image);
  return where === undefined ? { state: 'unknown' } : { state: 'present', where };
}

function containersOf(pod: KubeObject): readonly { readonly name: string; readonly image?: string }[] {
  const spec = (pod['spec'] ?? {}) as Readonly<
    Record<string, readonly { readonly name: string; readonly image?: string }[] | undefined>
  >;
  return [...(spec['initContainers'] ?? []), ...(spec['containers'] ?? [])];
}

function statusesOf(pod: KubeObject): readonly ContainerStatus[] {
  const status = (pod['status'] ?? {}) as Readonly<Record<string, readonly ContainerStatus[] | undefined>>;
  return [...(status['initContainerStatuses'] ?? []), ...(status['containerStatuses'] ?? [])];
}

/** Registry, tag and all, as nodes write it: `nginx` is `docker.io/library/nginx:latest`. */
export function fullName(image: string): string {
  const slash = image.indexOf('/');
  const first = slash < 0 ? '' : image.slice(0, slash);
  const hasRegistry = first === 'localhost' || /[.:]/.test(first);
  const path = hasRegistry ? image : `docker.io/${slash < 0 ? 'library/' : ''}${image}`;
  const last = path.slice(path.lastIndexOf('/') + 1);
  return /[:@]/.test(last) ? path : `${path}:latest`;
}
