import { expect, test } from 'vitest';
import { mayTakeFrom } from '../../src/plan/index.ts';
import { isTakenOver } from '../../src/provider/kubernetes/managed-fields.ts';

test('the plan takes over from the same managers as the provider, so that what is shown is what is done', () => {
  const managers = [
    'kubectl',
    'kubectl-set',
    'kubectl-client-side-apply',
    'kubectl_1',
    'kubectlx',
    'helm',
    'Helm',
    'helm-controller',
    'pulumi-kubernetes-0a1b2c3d',
    'backstay',
    'before-first-apply',
    'argocd-controller',
    'kustomize-controller',
    'kube-controller-manager',
    'named',
    '',
  ];
  const taken = managers.filter((manager) => mayTakeFrom(manager, ['named']));
  expect(taken).toEqual(managers.filter((manager) => isTakenOver(manager, ['named'])));
  expect(taken).toContain('kubectl-set');
  expect(taken).not.toContain('argocd-controller');
});
