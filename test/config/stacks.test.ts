import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { listStacks, loadStack } from '../../src/config/index.ts';
import type { KubeObject } from '../../src/model/index.ts';

const projectDir = join(import.meta.dirname, '../..');
const env = { HOME: '/nonexistent' };

/** Where what each of them describes comes from. */
const EXAMPLES: Readonly<Record<string, readonly string[]>> = {
  keiko: ['keiko/v1.2.0'],
  'medical-kg': ['medical-kg/docling', 'medical-kg/mineru'],
  'medical-kg-data': ['medical-kg/data'],
  'medical-kg-monitoring': ['medical-kg/monitoring'],
  paperless: ['paperless/v1.2.2'],
  summit: ['summit/v4.0.4'],
};

async function objectsIn(folder: string): Promise<readonly KubeObject[]> {
  const dir = join(projectDir, 'examples', folder);
  const texts = await Promise.all((await readdir(dir)).map(async (file) => await readFile(join(dir, file), 'utf8')));
  return texts.flatMap((text) => parseAllDocuments(text).map((document) => document.toJS() as KubeObject));
}

test('every stack file of this project is looked at here', async () => {
  expect((await listStacks(projectDir)).toSorted()).toEqual(Object.keys(EXAMPLES).toSorted());
});

describe.each(Object.entries(EXAMPLES))('the stack file of %s', (name, folders) => {
  test('can be used as it is', async () => {
    const stack = await loadStack(name, { projectDir, env });
    expect(stack.name).toBe(name);
    expect(stack.checks.length).toBeGreaterThan(0);
    expect(stack.namespaces.length).toBeGreaterThan(0);
  });

  test('is about what its example has: workloads, flags, Services and Ingresses by their names', async () => {
    const stack = await loadStack(name, { projectDir, env });
    const objects = (await Promise.all(folders.map(objectsIn))).flat();
    const names = (...kinds: string[]): readonly string[] =>
      objects.filter(({ kind }) => kinds.includes(kind)).map(({ metadata }) => metadata.name);
    const workloads = names('Deployment', 'StatefulSet', 'DaemonSet');
    expect(stack.order.filter((one) => !workloads.includes(one))).toEqual([]);
    for (const check of stack.checks) {
      if (check.kind === 'rollout') expect(check.workloads.filter((one) => !workloads.includes(one))).toEqual([]);
    }
    for (const { source } of stack.flags) {
      if ('workload' in source) expect(workloads).toContain(source.workload);
      else expect(names('ConfigMap')).toContain(source.configMap);
    }
    const targets = [...stack.checks, ...stack.probes].flatMap((one) => ('target' in one ? [one.target] : []));
    for (const { via } of targets) {
      if (via !== undefined && 'ingress' in via) expect(names('Ingress')).toContain(via.ingress);
      if (via !== undefined && 'service' in via) expect(names('Service')).toContain(via.service);
    }
  });
});
