import type { CustomResource, CustomResourceOptions } from '@pulumi/pulumi';

/** What every resource class of @pulumi/kubernetes has in common. */
export type ResourceClass = new (
  name: string,
  args: Readonly<Record<string, unknown>>,
  options: CustomResourceOptions,
) => CustomResource;

/**
 * The SDK's classes of the kinds that stacks are made of, each imported by itself: the package as a whole takes half a
 * second to load. They bring the type token and the aliases of earlier API versions.
 */
const CLASSES: Readonly<Record<string, () => Promise<unknown>>> = {
  'v1/ConfigMap': async () => (await import('@pulumi/kubernetes/core/v1/configMap.js')).ConfigMap,
  'v1/LimitRange': async () => (await import('@pulumi/kubernetes/core/v1/limitRange.js')).LimitRange,
  'v1/Namespace': async () => (await import('@pulumi/kubernetes/core/v1/namespace.js')).Namespace,
  'v1/PersistentVolumeClaim': async () =>
    (await import('@pulumi/kubernetes/core/v1/persistentVolumeClaim.js')).PersistentVolumeClaim,
  'v1/ResourceQuota': async () => (await import('@pulumi/kubernetes/core/v1/resourceQuota.js')).ResourceQuota,
  'v1/Secret': async () => (await import('@pulumi/kubernetes/core/v1/secret.js')).Secret,
  'v1/Service': async () => (await import('@pulumi/kubernetes/core/v1/service.js')).Service,
  'v1/ServiceAccount': async () => (await import('@pulumi/kubernetes/core/v1/serviceAccount.js')).ServiceAccount,
  'apps/v1/DaemonSet': async () => (await import('@pulumi/kubernetes/apps/v1/daemonSet.js')).DaemonSet,
  'apps/v1/Deployment': async () => (await import('@pulumi/kubernetes/apps/v1/deployment.js')).Deployment,
  'apps/v1/StatefulSet': async () => (await import('@pulumi/kubernetes/apps/v1/statefulSet.js')).StatefulSet,
  'autoscaling/v2/HorizontalPodAutoscaler': async () =>
    (await import('@pulumi/kubernetes/autoscaling/v2/horizontalPodAutoscaler.js')).HorizontalPodAutoscaler,
  'batch/v1/CronJob': async () => (await import('@pulumi/kubernetes/batch/v1/cronJob.js')).CronJob,
  'networking.k8s.io/v1/Ingress': async () => (await import('@pulumi/kubernetes/networking/v1/ingress.js')).Ingress,
  'networking.k8s.io/v1/NetworkPolicy': async () =>
    (await import('@pulumi/kubernetes/networking/v1/networkPolicy.js')).NetworkPolicy,
  'policy/v1/PodDisruptionBudget': async () =>
    (await import('@pulumi/kubernetes/policy/v1/podDisruptionBudget.js')).PodDisruptionBudget,
  'rbac.authorization.k8s.io/v1/ClusterRole': async () =>
    (await import('@pulumi/kubernetes/rbac/v1/clusterRole.js')).ClusterRole,
  'rbac.authorization.k8s.io/v1/ClusterRoleBinding': async () =>
    (await import('@pulumi/kubernetes/rbac/v1/clusterRoleBinding.js')).ClusterRoleBinding,
  'rbac.authorization.k8s.io/v1/Role': async () => (await import('@pulumi/kubernetes/rbac/v1/role.js')).Role,
  'rbac.authorization.k8s.io/v1/RoleBinding': async () =>
    (await import('@pulumi/kubernetes/rbac/v1/roleBinding.js')).RoleBinding,
  'apiextensions.k8s.io/v1/CustomResourceDefinition': async () =>
    (await import('@pulumi/kubernetes/apiextensions/v1/customResourceDefinition.js')).CustomResourceDefinition,
};

/** The class that registers objects of a kind; any kind without one of its own is a CustomResource. */
export async function classFor(apiVersion: string, kind: string): Promise<ResourceClass> {
  const load = CLASSES[`${apiVersion}/${kind}`];
  if (load !== undefined) return (await load()) as ResourceClass;
  const { CustomResource: Any } = await import('@pulumi/kubernetes/apiextensions/customResource.js');
  return Any as unknown as ResourceClass;
}

/** The API version by which a type token names a kind: the core group has a name there. */
export function typeVersion(apiVersion: string): string {
  return apiVersion.includes('/') ? apiVersion : `core/${apiVersion}`;
}
