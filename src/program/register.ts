import { type CustomResource, type CustomResourceOptions, type ResourceTransformation, secret } from '@pulumi/pulumi';
import { type KubeObject, keyOf, type ObjectKey } from '../model/index.ts';
import { classFor, typeVersion } from './classes.ts';
import { dependenciesOf, inOrder } from './dependencies.ts';

export interface RegisterOptions {
  /** UID of the kube-system namespace: by it the official plugin knows the cluster, whatever its address. */
  readonly clusterUid: string;
  /** Each of these waits for the one before. @default what objects depend on alone */
  readonly order?: readonly ObjectKey[];
}

/** Name of the one provider resource: with another name every object would be replaced. */
export const PROVIDER_NAME = 'backstay';

/** Versions that an API may have gone through. An alias that never was costs nothing. */
const VERSIONS = [
  'v1',
  'v2',
  'v1beta1',
  'v1beta2',
  'v1beta3',
  'v2beta1',
  'v2beta2',
  'v1alpha1',
  'v1alpha2',
  'v1alpha3',
  'v2alpha1',
];

/**
 * Registers a snapshot's objects with Pulumi, what they depend on first. To be called within a Pulumi program. The
 * resource's name is the object's key, without its API version, so that a newer version is the same resource.
 */
export async function registerObjects(
  objects: readonly KubeObject[],
  options: RegisterOptions,
): Promise<ReadonlyMap<ObjectKey, CustomResource>> {
  const { clusterUid, order } = options;
  const provider = await registerProvider(clusterUid);
  const dependencies = dependenciesOf(objects, order);
  const resources = new Map<ObjectKey, CustomResource>();
  for (const object of inOrder(objects, order)) {
    const key = keyOf(object);
    const needed = (dependencies.get(key) ?? []).map((other) => resources.get(other));
    const dependsOn = needed.filter((resource) => resource !== undefined);
    const Registered = await classFor(object.apiVersion, object.kind);
    const args = { ...object, apiVersion: classVersion(object) };
    resources.set(key, new Registered(key, args, { ...resourceOptions(object), provider, dependsOn }));
  }
  return resources;
}

/** The name and type under which an object is registered. */
export function typeOf(object: KubeObject): { readonly key: ObjectKey; readonly type: string } {
  return { key: keyOf(object), type: `kubernetes:${typeVersion(object.apiVersion)}:${object.kind}` };
}

async function registerProvider(clusterIdentifier: string): Promise<CustomResourceOptions['provider'] & object> {
  const { Provider } = await import('@pulumi/kubernetes/provider.js');
  // The SDK takes $KUBECONFIG into the inputs when none is given; state must not hold where or who we are.
  const withoutKubeconfig: ResourceTransformation = ({ props, opts }) => ({
    props: { ...props, kubeconfig: undefined, context: undefined, cluster: undefined },
    opts,
  });
  return new Provider(
    PROVIDER_NAME,
    {
      clusterIdentifier,
      enableConfigMapMutable: true,
      enableSecretMutable: true,
      enableServerSideApply: true,
      upsertExistingObjects: true,
    },
    { transformations: [withoutKubeconfig] },
  );
}

function resourceOptions(object: KubeObject): CustomResourceOptions {
  // The SDK's classes pass on the fields that they know; an object keeps every field it has.
  const whole: ResourceTransformation = ({ opts }) => ({ props: inputsOf(object), opts });
  return { aliases: aliasesOf(object), transformations: [whole] };
}

function inputsOf(object: KubeObject): Record<string, unknown> {
  const { status: _, ...inputs } = object;
  if (object.kind !== 'Secret' || object.apiVersion !== 'v1') return inputs;
  const { data, stringData, ...rest } = inputs as typeof inputs & { data?: unknown; stringData?: unknown };
  return {
    ...rest,
    ...(data === undefined ? {} : { data: secret(data) }),
    ...(stringData === undefined ? {} : { stringData: secret(stringData) }),
  };
}

function aliasesOf(object: KubeObject): { readonly type: string }[] {
  const own = typeVersion(object.apiVersion);
  const [group = ''] = own.split('/');
  return VERSIONS.map((version) => `${group}/${version}`)
    .filter((version) => version !== own)
    .map((version) => ({ type: `kubernetes:${version}:${object.kind}` }));
}

/** CustomResource makes the type token of what it is given; the typed classes ignore it. */
function classVersion(object: KubeObject): string {
  return typeVersion(object.apiVersion);
}
