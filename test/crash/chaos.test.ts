import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { CaseResult } from '../../scripts/chaos/case.ts';
import { chaos } from '../../scripts/chaos/harness.ts';
import { type Point, sampleOf } from '../../scripts/chaos/points.ts';
import { LOGGING } from '../../scripts/chaos/database.ts';
import { endAll } from '../../scripts/chaos/processes.ts';
import { caseLine, HEAD, summary } from '../../scripts/chaos/table.ts';
import { testSandbox } from '../support/cluster.ts';
import { startTestPostgres } from '../support/postgres-server.ts';

/** The same harness as `npm run chaos`, with one point for each name that a run comes by. */
describe('a run that is killed', () => {
  afterAll(endAll);

  it('at any failpoint, once or twice, is carried to its end by resume, with every effect exactly once', {
    timeout: 900_000,
  }, async () => {
    const { kubeconfig, dir } = await testSandbox();
    let points: readonly Point[] = [];
    const results: CaseResult[] = [];
    await chaos({
      kubeconfig,
      auditLog: join(dir, 'logs', 'audit.jsonl'),
      parallel: 2,
      say: (line) => console.log(line),
      choose: (all) => (points = sampleOf(all)),
      onResult: (result) => results.push(result),
    });
    console.log([HEAD, ...results.map(caseLine), '', summary(results)].join('\n'));
    expect(results.filter(({ flaws }) => flaws.length > 0)).toEqual([]);
    const names = new Set(points.map(({ name }) => name));
    // Each write of each port that a run uses; a trace that lost some of them would make an empty promise.
    expect([...names]).toEqual(expect.arrayContaining(EXPECTED));
    expect(results).toHaveLength(2 * names.size);
    // A second kill needs something left to do: behind the run's last act there is nothing.
    expect(results.filter(({ kills }) => kills >= 2).length).toBeGreaterThan(names.size / 2);
  });
});

describe('a run that takes data back, with its journal in Postgres', () => {
  afterAll(endAll);

  it('is carried to its end by resume wherever it was killed, with every effect exactly once by the log of Postgres', {
    timeout: 600_000,
  }, async () => {
    const { kubeconfig, dir } = await testSandbox();
    const server = await startTestPostgres(LOGGING);
    try {
      let chosen: readonly Point[] = [];
      const results = await chaos({
        kubeconfig,
        auditLog: join(dir, 'logs', 'audit.jsonl'),
        parallel: 2,
        server,
        say: (line) => console.log(line),
        choose: (all) => (chosen = sampleOf(all).filter(({ name }) => OF_DATA.some((one) => name.startsWith(one)))),
      });
      console.log([HEAD, ...results.map(caseLine), '', summary(results)].join('\n'));
      expect(results.filter(({ flaws }) => flaws.length > 0)).toEqual([]);
      expect(chosen.map(({ name }) => name).sort()).toEqual(
        ['data-store.restore-beside', 'data-store.swap', 'journal.append'].flatMap((one) => [
          `${one}.after`,
          `${one}.before`,
        ]),
      );
      expect(results).toHaveLength(2 * chosen.length);
    } finally {
      await server.stop();
    }
  });
});

/** What is another one here than in the run above. */
const OF_DATA = ['data-store.', 'journal.'];

const EXPECTED = [
  'journal.append',
  'snapshot.put',
  'snapshot.annotate',
  'snapshot-file.write',
  'files.write',
  'lease.acquire',
  'lease.replace',
  'lease.release',
  'cluster.delete',
  'engine.up',
  'provider.apply',
  'provider.patch',
  'provider.delete',
  'http.request',
  'exec.run',
].flatMap((write) => [`${write}.before`, `${write}.after`]);
