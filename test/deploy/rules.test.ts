import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import { exposition } from '../../src/http/exposition.ts';
import { findPrometheus, type PrometheusTools } from '../../src/toolchain/prometheus.ts';

const run = promisify(execFile);
const folder = join(import.meta.dirname, '..', '..', 'deploy', 'prometheus');

/** Fetching the packages, where the machine has none. */
const FETCH_MS = 180_000;

describe('the rules that are shipped', () => {
  let tools: PrometheusTools;
  beforeAll(async () => void (tools = await findPrometheus()), FETCH_MS);

  test('are ones that Prometheus takes', async () => {
    const { stdout } = await run(tools.promtool, ['check', 'rules', 'rules.yaml'], { cwd: folder });
    expect(stdout).toContain('SUCCESS: 10 rules found');
  });

  test('fire when they should, and not before', async () => {
    const files = ['rules.test.yaml', 'rules.days.test.yaml'];
    const { stdout } = await run(tools.promtool, ['test', 'rules', ...files], { cwd: folder, timeout: 60_000 });
    expect(stdout).toContain('SUCCESS');
  });

  test('ask for metrics that the service has', async () => {
    const measured = {
      runs: [],
      damaged: 0,
      approvals: new Map(),
      stacks: [],
      schedules: [],
      stores: [],
      openProposals: new Map(),
      undelivered: new Map(),
      lost: new Map(),
    };
    const { text } = await exposition(measured, '0');
    const known = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
    const asked = [...readFileSync(join(folder, 'rules.yaml'), 'utf8').matchAll(/\bbackstay_[a-z_]+/g)].map(
      ([name]) => name,
    );
    expect(asked.length).toBeGreaterThan(4);
    expect(asked.filter((name) => !known.includes(name))).toEqual([]);
  });
});
