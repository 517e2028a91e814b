import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { loadStack } from '../../../src/config/index.ts';
import { validateTemplate } from '../../../src/hooks/index.ts';
import type { KubeObject } from '../../../src/model/index.ts';
import { SANDBOX_IMAGES } from '../../../src/sandbox/images/registry.ts';
import { ImageCatalog } from '../../../src/sandbox/node/images/catalog.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const stack = await loadStack('medical-kg', { projectDir: root, env: { HOME: '/nowhere' } });

interface Workload extends KubeObject {
  readonly spec: {
    readonly template: {
      readonly metadata: { readonly labels: Readonly<Record<string, string>> };
      readonly spec: {
        readonly containers: readonly {
          readonly image: string;
          readonly ports: readonly { readonly name: string }[];
        }[];
      };
    };
  };
}
interface ServiceObject extends KubeObject {
  readonly spec: {
    readonly selector: Readonly<Record<string, string>>;
    readonly ports: readonly { readonly targetPort: string }[];
  };
}

function read(folder: string): readonly KubeObject[] {
  const dir = `${root}examples/medical-kg/${folder}/`;
  return readdirSync(dir).flatMap((file) =>
    parseAllDocuments(readFileSync(dir + file, 'utf8')).map((document) => document.toJS() as KubeObject),
  );
}
const workloadsOf = (folder: string): readonly Workload[] =>
  read(folder).filter(({ kind }) => kind === 'Deployment' || kind === 'StatefulSet') as unknown as readonly Workload[];
const named = (folder: string, kind: string, name: string): KubeObject | undefined =>
  read(folder).find((object) => object.kind === kind && object.metadata.name === name);

test('every image of the sandbox is plain data with a program that is there', () => {
  expect(JSON.parse(JSON.stringify(SANDBOX_IMAGES))).toEqual(SANDBOX_IMAGES);
  for (const { entry, tags } of SANDBOX_IMAGES) expect([existsSync(entry), tags.length > 0]).toEqual([true, true]);
});

describe.each(['mineru', 'docling', 'monitoring'])('the manifests of %s', (folder) => {
  test(`${folder}: every image can be pulled in the sandbox`, () => {
    const catalog = new ImageCatalog(SANDBOX_IMAGES);
    const images = workloadsOf(folder).flatMap(({ spec }) => spec.template.spec.containers.map(({ image }) => image));
    expect(images.filter((image) => !catalog.pull(image).ok)).toEqual([]);
    expect(images.length).toBeGreaterThan(1);
  });

  test(`${folder}: every Service selects exactly one workload, by a port that it has`, () => {
    const services = read(folder).filter(({ kind }) => kind === 'Service') as unknown as readonly ServiceObject[];
    for (const { metadata, spec } of services) {
      const selected = workloadsOf(folder).filter((workload) =>
        Object.entries(spec.selector).every(([key, value]) => workload.spec.template.metadata.labels[key] === value),
      );
      const ports = selected.flatMap((workload) =>
        workload.spec.template.spec.containers.flatMap((container) => container.ports.map(({ name }) => name)),
      );
      expect([metadata.name, selected.length, ports]).toEqual([
        metadata.name,
        1,
        spec.ports.map(({ targetPort }) => targetPort),
      ]);
    }
  });
});

describe('the two states of Medical_KG', () => {
  const workloads = (folder: string): readonly string[] => workloadsOf(folder).map(({ metadata }) => metadata.name);

  test('differ in what the failover has to bring back, and in nothing of the database', () => {
    const flag = (folder: string): unknown =>
      (named(folder, 'ConfigMap', 'medical-kg-rev-config')?.['data'] as Record<string, string> | undefined)?.[
        'PDF_PROCESSING_BACKEND'
      ];
    expect([flag('mineru'), flag('docling')]).toEqual(['mineru', 'docling']);
    expect(workloads('mineru').filter((name) => !workloads('docling').includes(name))).toEqual(['mineru-parser']);
    expect(workloads('docling').filter((name) => !workloads('mineru').includes(name))).toEqual(['docling-vlm']);
    for (const [kind, name] of [
      ['Secret', 'medical-kg-rev-secrets'],
      ['Ingress', 'medical-kg-rev-gateway-ingress'],
    ] as const) {
      expect(named('mineru', kind, name)).not.toEqual(named('docling', kind, name));
    }
    for (const [kind, name] of [
      ['StatefulSet', 'postgres'],
      ['Service', 'postgres'],
      ['Secret', 'postgres-credentials'],
    ] as const) {
      expect(named('mineru', kind, name)).toBeDefined();
      expect(named('mineru', kind, name)).toEqual(named('docling', kind, name));
    }
  });

  test('hold no password of the database, and no token that is not marked as one for the sandbox', () => {
    const secrets = ['mineru', 'docling', 'monitoring'].flatMap(read).filter(({ kind }) => kind === 'Secret');
    const values = secrets
      .flatMap((secret) => Object.entries(secret['stringData'] as Record<string, string>))
      .filter(([key]) => /PASSWORD|TOKEN|URL/.test(key));
    expect(values.length).toBe(6);
    const [made, written] = [/PASSWORD|URL/, /TOKEN/].map((keys) => values.filter(([key]) => keys.test(key)));
    expect(made?.filter(([, value]) => !value.includes('${credential:postgres}'))).toEqual([]);
    expect(written?.filter(([, value]) => !value.startsWith('sandbox-only-'))).toEqual([]);
  });

  test('are what the stack file names: workloads in order, the flag, the route, the files of the canaries', () => {
    const all = new Set([...workloads('mineru'), ...workloads('docling')]);
    expect(stack.order.filter((name) => !all.has(name))).toEqual([]);
    expect([...all].filter((name) => name !== 'postgres' && !stack.order.includes(name))).toEqual([]);
    const files = stack.checks.flatMap((check) =>
      check.kind === 'canary' ? check.documents.flatMap(({ file, recorded }) => [file, recorded]) : [],
    );
    expect(files.length).toBe(8);
    expect(files.filter((file) => !existsSync(file))).toEqual([]);
    const targets = stack.checks.flatMap((check) => ('target' in check ? [check.target] : []));
    for (const { via } of targets) {
      if (via === undefined) continue;
      const [kind, name] = 'service' in via ? ['Service', via.service] : ['Ingress', via.ingress];
      expect([name, named('mineru', kind, name) === undefined]).toEqual([name, false]);
    }
  });
});

describe('the stack file of Medical_KG', () => {
  test('asks the questions of the runbook', () => {
    const asked = stack.checks.flatMap((check) =>
      'target' in check
        ? [`${check.kind} ${check.target.url} ${'accept' in check ? check.accept.join('/') : ''}`.trim()]
        : [],
    );
    for (const wanted of [
      ...['/health', '/ready', '/health/database'].map((url) => `http ${url} 200`),
      ...['/api/v1/documents', '/api/v1/users', '/api/v1/health'].map((url) => `http ${url} 200/401/403`),
      'http /health/docling 503',
      'http /health/mineru 200',
    ])
      expect(asked).toContain(wanted);
    const speeds = stack.checks.flatMap((check) =>
      check.kind === 'performance' ? [[check.target.url, check.count, check.averageMs, check.p95Ms, check.maxMs]] : [],
    );
    expect(speeds).toEqual(['/health', '/api/v1/documents', '/api/v1/users'].map((url) => [url, 10, 500, 1000, 2000]));
    expect(stack.context.anyOf).toEqual([
      'DoclingVLMProcessingSlow',
      'DoclingVLMSuccessRateDrop',
      'DoclingModelUnavailable',
    ]);
  });

  test('pauses and resumes ingest, announces with the incident and opens a ticket that names the security assessment', () => {
    expect(stack.hooks.flatMap(validateTemplate)).toEqual([]);
    expect(stack.hooks.map(({ name, phase }) => `${phase} ${name}`)).toEqual([
      'frozen pause-ingest',
      'resumed resume-ingest',
      'completed announce',
      'completed follow-up',
    ]);
    const texts = stack.hooks.map(({ action }) =>
      action.kind === 'announce' ? action.text : action.kind === 'ticket' ? action.body : '',
    );
    expect(texts[2]).toContain('{{incident}}');
    expect(texts[3]).toContain('docs/security/docling_security_assessment.md');
    expect(stack.hooks[0]?.reverse).toMatchObject({ kind: 'http', target: { url: '/v1/orchestration/resume' } });
  });
});
