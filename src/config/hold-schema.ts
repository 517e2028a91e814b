import { z } from 'zod';
import type { Stack } from '../model/index.ts';
import { flag, isOn, namespace, text } from './fields.ts';

const argocd = z.strictObject(
  { name: text, namespace: namespace.default('argocd').describe('Of the Application, not of what it brings.') },
  { error: '{name, namespace?}' },
);

const flux = z.strictObject(
  {
    kind: z.enum(['Kustomization', 'HelmRelease'], { error: 'Kustomization or HelmRelease' }),
    name: text,
    namespace: namespace.default('flux-system'),
  },
  { error: '{kind: Kustomization or HelmRelease, name, namespace?}' },
);

/** What is kept from acting by itself while a run works, and after a rollback. */
export const hold = z
  .strictObject(
    {
      rollouts: flag.default(true).describe('Pause rollouts that are under way in what changes.'),
      autoscalers: flag
        .default(true)
        .describe('Suspend the HPAs and KEDA ScaledObjects of workloads that change, for as long as the run takes.'),
      argocd: z
        .array(argocd, { error: 'a list of {name, namespace?}' })
        .default([])
        .describe('Argo CD Applications that bring this stack. Their automated sync stays off after a rollback.'),
      flux: z
        .array(flux, { error: 'a list of {kind, name, namespace?}' })
        .default([])
        .describe('Flux objects that bring this stack. They stay suspended after a rollback.'),
    },
    { error: '{rollouts, autoscalers, argocd, flux}' },
  )
  .prefault({})
  .describe('What is kept from acting by itself while a run works, and after a rollback.');

const FLUX_GROUP = { Kustomization: 'kustomize.toolkit.fluxcd.io', HelmRelease: 'helm.toolkit.fluxcd.io' } as const;

export function toHold(raw: z.output<typeof hold>): Stack['hold'] {
  return {
    rollouts: isOn(raw.rollouts),
    autoscalers: isOn(raw.autoscalers),
    deliveries: [
      ...raw.argocd.map((app) => ({ group: 'argoproj.io', kind: 'Application', ...app })),
      ...raw.flux.map((one) => ({ group: FLUX_GROUP[one.kind], ...one })),
    ],
  };
}
