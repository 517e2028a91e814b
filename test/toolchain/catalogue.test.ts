import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CATALOGUE } from '../../src/toolchain/catalogue.ts';
import { atLeast, sameMinor } from '../../src/toolchain/versions.ts';

/** The module whose version must be the tool's. */
const MODULES: Readonly<Record<string, string>> = {
  etcd: 'go.etcd.io/etcd/server/v3',
  kubernetes: 'k8s.io/kubernetes',
  kubectl: 'k8s.io/kubernetes',
  pulumi: 'github.com/pulumi/pulumi/pkg/v3',
  kwok: 'sigs.k8s.io/kwok',
  helm: 'helm.sh/helm/v3',
  actionlint: 'github.com/rhysd/actionlint',
};

describe('the catalogue of tools', () => {
  it.each(CATALOGUE.tools.map((tool) => [tool.name, tool] as const))(
    'pins %s in its recipe at the version that it promises',
    async (_name, tool) => {
      const recipe = CATALOGUE.recipes.find(({ name }) => name === tool.recipe)!;
      const lines = (await readFile(join(recipe.dir, 'go.mod'), 'utf8')).split('\n').map((line) => line.trim());
      const pinned = lines.find((line) => line.replace(/^require /, '').startsWith(`${MODULES[recipe.name]} v`));
      expect(pinned).toContain(` v${tool.version}`);
      expect(lines.some((line) => line.replace(/^tool /, '') === tool.goPackage)).toBe(true);
    },
  );

  it('would accept each tool that it makes', () => {
    for (const tool of CATALOGUE.tools) {
      expect([tool.name, tool.willDo(tool.version), tool.willDoNamed(tool.version)]).toEqual([tool.name, true, true]);
    }
  });

  it('has a variable of its own for every tool', () => {
    const variables = CATALOGUE.tools.map((tool) => tool.variable);
    expect(new Set(variables).size).toBe(variables.length);
    expect(variables).toContain('BACKSTAY_KUBE_APISERVER');
  });

  it.each([
    ['etcd', 'etcd Version: 3.6.6\nGit SHA: Not provided', '3.6.6'],
    ['kube-apiserver', 'Kubernetes v1.35.4', '1.35.4'],
    ['pulumi', 'v3.250.0', '3.250.0'],
    ['pulumi', '3.250.0', '3.250.0'],
    ['helm', 'v3.19.0', '3.19.0'],
    ['actionlint', '1.7.12\ninstalled by building from source', '1.7.12'],
    ['kwok', 'kwok version v0.7.0 go1.26.8 (linux/amd64)', '0.7.0'],
    ['kubectl', 'Client Version: v1.32.4-dispatcher\nKustomize Version: v5.5.0', '1.32.4-dispatcher'],
  ])('reads the version that %s prints', (name, output, version) => {
    const tool = CATALOGUE.tools.find((candidate) => candidate.name === name)!;
    expect(tool.versionPattern.exec(output)?.[1]).toBe(version);
  });
});

describe('versions', () => {
  it.each([
    ['1.35.4', '1.35.4', true],
    ['1.35.10', '1.35.4', true],
    ['1.35.3', '1.35.4', false],
    ['1.36.0', '1.35.4', true],
    ['1.9.9', '1.35.0', false],
    ['2.0.0', '1.35.4', false],
    ['0.9.0', '1.35.4', false],
    ['1.35.4-dispatcher', '1.35.4', true],
    ['v1.36', '1.35.4', true],
  ])('%s is at least %s: %s', (version, minimum, expected) => {
    expect(atLeast(version, minimum)).toBe(expected);
  });

  it.each([
    ['1.35.0', '1.35.4', true],
    ['1.34.9', '1.35.4', false],
    ['2.35.4', '1.35.4', false],
  ])('%s is of the minor version of %s: %s', (left, right, expected) => {
    expect(sameMinor(left, right)).toBe(expected);
  });
});
