import {
  displayName,
  groupOf,
  type KubeObject,
  keyOf,
  type ObjectKey,
  type ObjectRef,
  partsOf,
  refOf,
  type Step,
  suspend,
  suspendedBy,
  type Change,
} from '../model/index.ts';
import type { PlanInput } from './make-plan.ts';
import { scaleTargetOf } from './shape.ts';

type Held = Pick<PlanInput, 'stack' | 'changes' | 'options' | 'rollingOut' | 'autoscalers' | 'deliveries' | 'desired'>;
type Part = Pick<Step, 'id' | 'title' | 'action' | 'risk'> & Pick<Partial<Step>, 'reverse'>;

/** What is kept from acting in the phase `frozen`. What brings Git's version comes first: it would take a pause back. */
export function freezing(input: Held): readonly Part[] {
  const { deliveries = [] } = input;
  const [autoscalers, rollouts] = [autoscalersIn(input), rolloutsIn(input)];
  const parts: Part[] = [];
  if (deliveries.length > 0) {
    parts.push({
      id: 'suspend-sync',
      title: `Keep ${names(deliveries)} from bringing Git's version back`,
      action: { kind: 'suspend-sync', applications: deliveries },
      risk: 'low',
      reverse: { kind: 'resume-sync', applications: deliveries },
    });
  }
  if (autoscalers.length > 0) {
    parts.push({
      id: 'suspend-autoscalers',
      title: `Keep ${names(autoscalers)} from scaling`,
      action: { kind: 'suspend-autoscalers', objects: autoscalers },
      risk: 'low',
      reverse: { kind: 'resume-autoscalers', objects: autoscalers },
    });
  }
  if (rollouts.length > 0) {
    parts.push({
      id: 'pause-rollouts',
      title: `Hold the rollout of ${rollouts.map(displayName).join(', ')}`,
      action: { kind: 'pause-rollouts', workloads: rollouts },
      risk: 'low',
      reverse: { kind: 'resume-rollouts', workloads: rollouts },
    });
  }
  return parts;
}

/** What acts again in the phase `resumed`. After a rollback what brings Git's version stays held. */
export function releasing(input: Held): readonly Part[] {
  const { deliveries = [], options } = input;
  const paused = new Set(input.desired.filter(isPaused).map(keyOf));
  const rollouts = rolloutsIn(input).filter((key) => !paused.has(key));
  const autoscalers = autoscalersIn(input);
  const parts: Part[] = [];
  if (rollouts.length > 0) {
    parts.push({
      id: 'resume-rollouts',
      title: `Release ${rollouts.map(displayName).join(', ')}`,
      action: { kind: 'resume-rollouts', workloads: rollouts },
      risk: 'low',
    });
  }
  if (autoscalers.length > 0) {
    parts.push({
      id: 'resume-autoscalers',
      title: `Let ${names(autoscalers)} scale again`,
      action: { kind: 'resume-autoscalers', objects: autoscalers },
      risk: 'low',
      // A run that returns to before from here changes the workloads once more.
      reverse: { kind: 'suspend-autoscalers', objects: autoscalers },
    });
  }
  if (deliveries.length > 0 && !options.hold) {
    parts.push({
      id: 'resume-sync',
      title: `Let ${names(deliveries)} sync again`,
      action: { kind: 'resume-sync', applications: deliveries },
      risk: 'low',
      reverse: { kind: 'suspend-sync', applications: deliveries },
    });
  }
  return parts;
}

/** Autoscalers of workloads that change, of those that scale by themselves now or are suspended by a run. */
export function autoscalersOf(
  changes: readonly Pick<Change, 'key' | 'action'>[],
  live: Iterable<KubeObject>,
): readonly ObjectRef[] {
  const changed = new Set(changes.filter(({ action }) => action !== 'create').map(({ key }) => nameOf(partsOf(key))));
  return [...live]
    .filter((object) => {
      const target = scaleTargetOf(object);
      if (target === undefined) return false;
      const { namespace } = object.metadata;
      if (!changed.has(nameOf({ ...target, ...(namespace === undefined ? {} : { namespace }) }))) return false;
      return suspendedBy(object).length > 0 || suspend(object, '').kind === 'write';
    })
    .map(refOf);
}

/**
 * Warnings of objects that change and that Argo CD or Flux brings, by the marks that these leave on them, while the stack
 * file names nothing of that kind to be held: they would put Git's version back.
 */
export function undeclaredDeliveries(
  changes: readonly Pick<Change, 'key'>[],
  live: ReadonlyMap<ObjectKey, KubeObject>,
  declared: readonly { readonly group: string; readonly name: string }[],
): readonly string[] {
  const brought = new Map<string, ObjectKey[]>();
  for (const { key } of changes) {
    const mark = deliveryOf(live.get(key));
    if (mark === undefined || declared.some(({ group, name }) => group === mark.group && name === mark.name)) continue;
    const said = `${mark.tool} ${mark.name}`;
    brought.set(said, [...(brought.get(said) ?? []), key]);
  }
  return [...brought].map(
    ([who, keys]) =>
      `${keys.map(displayName).join(', ')} ${keys.length === 1 ? 'is' : 'are'} brought by ${who}, which puts Git's version back: name it under \`hold\` in the stack file`,
  );
}

interface Mark {
  readonly tool: string;
  readonly group: string;
  readonly name: string;
}

function deliveryOf(object: KubeObject | undefined): Mark | undefined {
  const { labels = {}, annotations = {} } = object?.metadata ?? {};
  // `app:group/Kind:namespace/name`, and `namespace_app` where Applications may be in any namespace.
  const tracked = annotations['argocd.argoproj.io/tracking-id']?.split(':')[0]?.split('_').at(-1);
  const argo = tracked ?? labels['argocd.argoproj.io/instance'];
  if (argo !== undefined) return { tool: 'the Argo CD Application', group: 'argoproj.io', name: argo };
  for (const [kind, group] of [
    ['Kustomization', 'kustomize.toolkit.fluxcd.io'],
    ['HelmRelease', 'helm.toolkit.fluxcd.io'],
  ] as const) {
    const name = labels[`${group}/name`];
    if (name !== undefined) return { tool: `the Flux ${kind}`, group, name };
  }
  return undefined;
}

function autoscalersIn({ stack, autoscalers = [] }: Held): readonly ObjectRef[] {
  return stack.hold.autoscalers ? autoscalers : [];
}

/** Deployments that change and whose last change is not through yet. */
function rolloutsIn({ stack, changes, rollingOut }: Held): readonly ObjectKey[] {
  if (!stack.hold.rollouts) return [];
  return changes.filter(({ key, action }) => rollingOut.has(key) && action !== 'create').map(({ key }) => key);
}

function isPaused(object: KubeObject): boolean {
  return (object['spec'] as { readonly paused?: boolean } | undefined)?.paused === true;
}

/** Two kinds of one name may be in two namespaces: an Application's is said, for it is not the stack's. */
function names(refs: readonly ObjectRef[]): string {
  return refs
    .map((ref) => {
      const elsewhere = groupOf(ref.apiVersion) !== 'autoscaling' && ref.namespace !== undefined;
      return `${displayName(keyOf(ref))}${elsewhere ? ` in ${ref.namespace}` : ''}`;
    })
    .join(', ');
}

function nameOf(of: { readonly kind: string; readonly namespace?: string; readonly name: string }): string {
  return `${of.kind}/${of.namespace ?? ''}/${of.name}`;
}
