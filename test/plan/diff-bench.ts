import { digestOf, type KubeObject } from '../../src/model/index.ts';
import { diffContents } from '../../src/actions/diff.ts';
import { bareStack } from '../support/snapshots.ts';
import type { Snapshot } from '../../src/model/index.ts';

const COUNT = 1_000;
const RUNS = 7;

/** Run by hand: `node test/plan/diff-bench.ts`. Two snapshots of 1,000 objects, one in two different. CPU time: other work on the machine does not count. */
function snapshot(version: number): Snapshot {
  const objects = Array.from({ length: COUNT }, (_, index): KubeObject => {
    const changed = index % 2 === 0 ? version : 0;
    const metadata = {
      name: `app-${index}`,
      namespace: 'production',
      labels: { app: `app-${index}`, 'app.kubernetes.io/part-of': 'bench' },
    };
    if (index % 3 === 0) {
      const lines = Array.from(
        { length: 200 },
        (_line, line) => `setting-${line}: ${line % 50 === 0 ? changed : line}`,
      );
      return {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata,
        data: { 'app.yaml': `${lines.join('\n')}\n`, MODE: `m${changed}` },
      };
    }
    const env = Array.from({ length: 30 }, (_variable, at) => ({ name: `VAR_${(at + changed) % 30}`, value: `${at}` }));
    const containers = ['main', 'proxy', 'metrics'].map((name) => ({
      name,
      image: `registry.example/${name}:v${changed}`,
      env,
      ports: [{ containerPort: 8080, protocol: 'TCP' }],
      volumeMounts: [{ name: 'data', mountPath: '/data' }],
      resources: { limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '100m', memory: '128Mi' } },
    }));
    return {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata,
      spec: {
        replicas: 2,
        selector: { matchLabels: { app: `app-${index}` } },
        template: { metadata: { labels: { app: `app-${index}` } }, spec: { containers } },
      },
    };
  });
  const content = {
    apiVersion: 'backstay.dev/v1',
    kind: 'SnapshotContent',
    stack: 'bench',
    namespaces: ['production'],
    objects,
    flags: [],
    images: [],
  } as const;
  return { id: digestOf(content), content } as unknown as Snapshot;
}

const [from, to] = [snapshot(1), snapshot(2)];
const stack = bareStack('bench', '/nowhere');
const bytes = JSON.stringify(from.content).length;
const times: number[] = [];
let fields = 0;
for (let run = 0; run < RUNS; run++) {
  const start = process.cpuUsage();
  const changes = diffContents(from.content, to.content, { kind: 'full' }, stack);
  const { user, system } = process.cpuUsage(start);
  times.push((user + system) / 1000);
  fields = changes.reduce((sum, change) => sum + change.fields.length, 0);
}
times.sort((a, b) => a - b);
console.log(
  JSON.stringify({
    objects: COUNT,
    megabytes: +(bytes / 1e6).toFixed(2),
    fields,
    bestCpuMs: Math.round(times[0] ?? 0),
    medianCpuMs: Math.round(times[RUNS >> 1] ?? 0),
    worstCpuMs: Math.round(times.at(-1) ?? 0),
  }),
);
