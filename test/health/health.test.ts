import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type Health, healthOf, podsOf, type Related } from '../../src/health/index.ts';
import type { KubeObject } from '../../src/model/index.ts';

interface RecordedState {
  readonly title: string;
  readonly state: Health['state'];
  readonly reason: string;
  readonly object: KubeObject;
  readonly related?: Related;
}

/** As API servers 1.29 to 1.35 and Argo Rollouts 1.8 write them, shortened to what is judged. */
const states = JSON.parse(
  readFileSync(new URL('../states/health.json', import.meta.url), 'utf8'),
) as readonly RecordedState[];

describe('the health of recorded states', () => {
  it.each(states)('$title is $state', ({ object, related, state, reason }) => {
    expect(healthOf(object, related)).toEqual({ state, reason });
  });
});

describe('the pods of a workload', () => {
  it('are those of its own ReplicaSets, old ones too, and nobody else’s', () => {
    const owned = (kind: string, name: string, uid: string, owner: string): KubeObject => ({
      apiVersion: 'v1',
      kind,
      metadata: {
        name,
        uid,
        ownerReferences: [{ apiVersion: 'apps/v1', kind: 'x', name: owner, uid: owner, controller: true }],
      },
    });
    const deployment: KubeObject = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'd', uid: 'd' } };
    const replicaSets = [
      owned('ReplicaSet', 'new', 'rs1', 'd'),
      owned('ReplicaSet', 'old', 'rs2', 'd'),
      owned('ReplicaSet', 'foreign', 'rs3', 'e'),
    ];
    const pods = ['rs1', 'rs2', 'rs3', 'd'].map((owner) => owned('Pod', `of-${owner}`, `p-${owner}`, owner));
    expect(podsOf(deployment, { pods, replicaSets }).map(({ metadata }) => metadata.name)).toEqual([
      'of-rs1',
      'of-rs2',
      'of-d',
    ]);
  });
});
