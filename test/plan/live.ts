import {
  capturedForm,
  type ForeignField,
  type KubeObject,
  keyOf,
  type ObjectKey,
  type PlanOptions,
  type Role,
  roleOf,
  type Scope,
  type Stack,
} from '../../src/model/index.ts';
import {
  type Comparison,
  compare,
  effectiveForeign,
  type LiveObject,
  shapeFlags,
  shapeTarget,
  viewScope,
} from '../../src/plan/index.ts';
import { aStack } from '../rollback/builders.ts';
import { OPTIONS } from './manifests.ts';

export interface World {
  readonly live: readonly KubeObject[];
  readonly target: readonly KubeObject[];
  readonly scope?: Scope;
  readonly stack?: Partial<Stack>;
  readonly options?: Partial<PlanOptions>;
  readonly immutable?: ReadonlyMap<ObjectKey, string>;
}

export const STACK: Stack = aStack({
  roles: { workers: [{ kind: 'Deployment', name: 'worker*' }], data: [{ kind: 'StatefulSet', name: 'postgres' }] },
});

export const roleIn =
  (stack: Stack) =>
  (object: KubeObject): Role =>
    roleOf(object, stack);

/** As an API server would send it: with the fields that lie outside captured form. */
export function asLive(object: KubeObject): KubeObject {
  const { name } = object.metadata;
  return { ...object, metadata: { uid: `uid-${name}`, resourceVersion: '7', ...object.metadata } };
}

export function keyed(objects: readonly KubeObject[]): ReadonlyMap<ObjectKey, KubeObject> {
  return new Map(objects.map((object) => [keyOf(object), object]));
}

/** What a plan is made from, without a cluster: shaping and comparing as the planner does it. */
export function comparing(world: World): Comparison {
  const stack = { ...STACK, ...world.stack };
  const options = { ...OPTIONS, ...world.options };
  const scope = world.scope ?? { kind: 'full' };
  const role = roleIn(stack);
  const foreign: readonly ForeignField[] = effectiveForeign(stack.foreign, [...world.live, ...world.target]);
  const live = new Map<ObjectKey, LiveObject>(
    world.live.map((object) => [keyOf(object), { raw: asLive(object), form: capturedForm(asLive(object), foreign) }]),
  );
  const forms = new Map([...live].map(([key, { form }]) => [key, form]));
  const target = keyed(world.target.map((object) => capturedForm(object, foreign)));
  const view = viewScope({ scope, role, live: [...forms.values()], target: [...target.values()] });
  const shaped =
    scope.kind === 'flags'
      ? shapeFlags(stack.flags, 'production', forms, target)
      : shapeTarget(
          world.target.filter((object) => view.has(keyOf(object))),
          forms,
          { foreign, stackForeign: stack.foreign, exactReplicas: options.exactReplicas },
        );
  const compared = compare({
    scope: view,
    role,
    live,
    wanted: shaped.objects,
    target,
    immutable: world.immutable ?? new Map(),
    foreign,
    options,
  });
  return {
    ...compared,
    warnings: [...shaped.warnings, ...compared.warnings],
    refusals: [...shaped.refusals, ...compared.refusals],
  };
}

/** `update deployment/gateway`, in the plan's order. */
export function said({ changes }: Pick<Comparison, 'changes'>): readonly string[] {
  return changes.map(({ action, ref }) => `${action} ${ref.kind.toLowerCase()}/${ref.name}`);
}

/** A managedFields entry, from paths such as `f:spec/f:replicas`. */
export function owning(manager: string, ...fields: readonly string[]): Readonly<Record<string, unknown>> {
  const tree: Record<string, unknown> = {};
  for (const field of fields) {
    let at = tree;
    for (const step of field.split('/')) at = (at[step] ??= {}) as Record<string, unknown>;
  }
  return { manager, operation: 'Update', apiVersion: 'apps/v1', fieldsType: 'FieldsV1', fieldsV1: tree };
}
