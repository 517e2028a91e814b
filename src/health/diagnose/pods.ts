import type { KubeObject } from '../../model/index.ts';
import { podHealth } from '../pod.ts';
import { part } from '../verdict.ts';
import type { Finding, Observations, Said } from './types.ts';
import { count, kubectl, nameOf } from './workloads.ts';

/** A restart longer ago than this explains nothing that goes on now. */
const RECENT_MS = 3_600_000;
/** Warnings older than this are history. */
const EVENTS_MS = 900_000;
const EVENTS_SHOWN = 5;
/** Of its limit: above this a container is about to be killed or slowed down. */
const NEAR_LIMIT = 0.9;

interface ContainerStatus {
  readonly name: string;
  readonly restartCount?: number;
  readonly lastState?: {
    readonly terminated?: { readonly reason?: string; readonly exitCode?: number; readonly finishedAt?: string };
  };
}

export function aboutPods({ pods, now }: Observations): Said {
  const all = [...new Set([...pods.values()].flat())];
  const findings = all.flatMap((pod) => aboutPod(pod, now));
  return { summary: `${count(all.length, 'pod')}, ready and not restarted lately`, findings };
}

function aboutPod(pod: KubeObject, now: number): readonly Omit<Finding, 'section'>[] {
  const { state, reason } = podHealth(pod);
  const subject = nameOf(pod);
  const { name } = pod.metadata;
  const restarts = restartsOf(pod, now, state === 'failed');
  if (pod.metadata.deletionTimestamp !== undefined) {
    if (Date.parse(pod.metadata.deletionTimestamp) >= now) return [];
    const next = kubectl(pod, `describe pod ${name}`);
    return [{ grade: 'bad', subject, message: 'hangs: its time to end is over', next }];
  }
  if (state === 'failed') {
    const next = /Image/.test(reason) ? kubectl(pod, `describe pod ${name}`) : kubectl(pod, `logs ${name} --previous`);
    return [{ grade: 'bad', subject, message: [reason, ...restarts].join('; '), next }];
  }
  if (restarts.length > 0) {
    // Between two crashes a container runs for a moment: not ready and restarted is no start as any other.
    const grade = state === 'ready' ? 'warn' : 'bad';
    return [{ grade, subject, message: restarts.join('; '), next: kubectl(pod, `logs ${name} --previous`) }];
  }
  if (state === 'ready') return [];
  const grade = state === 'unknown' ? 'unknown' : 'warn';
  return [{ grade, subject, message: reason, next: kubectl(pod, `describe pod ${name}`) }];
}

/** `container main restarted 4 times, last exit 137 (OOMKilled)`, of lately; `brief` where the exit was told already. */
function restartsOf(pod: KubeObject, now: number, brief: boolean): readonly string[] {
  const { containerStatuses = [], initContainerStatuses = [] } = part<{
    containerStatuses: readonly ContainerStatus[];
    initContainerStatuses: readonly ContainerStatus[];
  }>(pod, 'status');
  return [...initContainerStatuses, ...containerStatuses].flatMap(({ name, restartCount = 0, lastState }) => {
    const ended = lastState?.terminated;
    const at = Date.parse(ended?.finishedAt ?? '');
    if (restartCount === 0 || (!Number.isNaN(at) && now - at > RECENT_MS)) return [];
    const why = ended?.reason === undefined ? '' : ` (${ended.reason})`;
    const exit = ended === undefined || brief ? '' : `, last exit ${ended.exitCode ?? '?'}${why}`;
    return [`container ${name} restarted ${restartCount === 1 ? 'once' : `${restartCount} times`}${exit}`];
  });
}

/** Warnings of lately, one line a reason and object, the newest first. */
export function aboutEvents({ events, now }: Observations): Said | string {
  if ('why' in events) return events.why;
  const recent = events.value.filter(({ type, at }) => type === 'Warning' && now - Date.parse(at) <= EVENTS_MS);
  const groups = Map.groupBy(recent, ({ reason, namespace, object }) => `${reason} ${namespace}/${ownerOf(object)}`);
  const newest = [...groups.values()]
    .map((group) => ({ last: group.at(-1), times: group.reduce((sum, event) => sum + event.count, 0) }))
    .flatMap(({ last, times }) => (last === undefined ? [] : [{ ...last, times }]))
    .sort((a, b) => (a.at < b.at ? 1 : -1));
  const findings = newest.slice(0, EVENTS_SHOWN).map(({ namespace, object, reason, message, times }) => ({
    grade: 'warn' as const,
    subject: `${object} in ${namespace}`,
    message: `${reason}: ${firstLine(message)}${times > 1 ? ` (×${times})` : ''}`,
    next: `kubectl -n ${namespace} events --for ${object}`,
  }));
  return { summary: `no warnings in the last ${EVENTS_MS / 60_000} minutes`, findings };
}

/** Pods of one workload say the same: `pod/gateway-5f7b-x2x9p` → `pod/gateway`. */
const ownerOf = (object: string): string => object.replace(/(-[a-z0-9]{5,10})?-[a-z0-9]{4,5}$/, '');
const firstLine = (text: string): string => text.split('\n', 1)[0] ?? '';

interface Container {
  readonly name: string;
  readonly resources?: { readonly limits?: Readonly<Record<string, string>> };
}

/** What containers use against what they may use. Without metrics.k8s.io nobody knows. */
export function aboutResources({ pods, usage }: Observations): Said | string {
  if ('why' in usage) return usage.why;
  const used = new Map(usage.value.map((one) => [`${one.metadata.namespace}/${one.metadata.name}`, one]));
  const findings = [...pods.values()].flat().flatMap((pod) => {
    const measured = used.get(`${pod.metadata.namespace}/${pod.metadata.name}`);
    return measured === undefined ? [] : nearLimits(pod, measured);
  });
  return { summary: `${count(used.size, 'pod')} measured, none near its limits`, findings };
}

function nearLimits(pod: KubeObject, measured: KubeObject): readonly Omit<Finding, 'section'>[] {
  const { containers = [] } = part<{ containers: readonly Container[] }>(pod, 'spec');
  const said = (measured['containers'] ?? []) as readonly { name: string; usage?: Readonly<Record<string, string>> }[];
  return containers.flatMap(({ name, resources }) =>
    (['memory', 'cpu'] as const).flatMap((resource) => {
      const limit = quantity(resources?.limits?.[resource]);
      const now = quantity(said.find((one) => one.name === name)?.usage?.[resource]);
      if (limit === undefined || now === undefined || now < limit * NEAR_LIMIT) return [];
      const share = Math.round((now / limit) * 100);
      return [
        {
          grade: 'warn' as const,
          subject: nameOf(pod),
          message: `container ${name} uses ${share} % of its ${resource} limit`,
          next: kubectl(pod, `top pod ${pod.metadata.name} --containers`),
        },
      ];
    }),
  );
}

const FACTORS: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
};

/** `250m` → 0.25, `64Mi` → 67108864; undefined for what is no quantity. */
export function quantity(text: string | undefined): number | undefined {
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?(?:e\d+)?)([A-Za-z]{0,2})$/.exec(text ?? '') ?? [];
  const factor = FACTORS[unit];
  return number === undefined || factor === undefined ? undefined : Number(number) * factor;
}
