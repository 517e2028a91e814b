import { DatabaseSync } from 'node:sqlite';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { KubeObject, RunEvent } from '../../src/model/index.ts';
import { testSandbox } from '../support/cluster.ts';
import { type Doorman, doorman } from '../support/doorman.ts';
import { type Kubectl, kubectlFor } from '../support/kubectl.ts';
import { type JournalServer, journalServer } from '../support/journal-server.ts';
import { type RunAnswer, type Shop, shop } from '../support/shop.ts';

/** A run that one process carries and others watch, with its journal in a file and in a database. */
describe.each(['SQLite', 'Postgres'])('a run journaled in %s', (kind) => {
  let here: Shop;
  let door: Doorman;
  let kubectl: Kubectl;
  let server: JournalServer | undefined;

  const apply = async (v: string): Promise<string> =>
    await kubectl(['apply', '--server-side', '--force-conflicts', '-f', '-'], {
      input: {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'a', namespace: here.namespace },
        data: { v },
      } satisfies KubeObject,
    });
  const rollback = (): string[] => ['rollback', here.name, '--to', 'good', '--yes', '--output', 'json'];
  const newest = async (): Promise<string> => {
    const { items } = await here.machine.json<{ items: { run: string }[] }>(['history', here.name]);
    return items[0]?.run ?? '';
  };
  const eventsOf = (stdout: string): RunEvent[] =>
    stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as RunEvent & { kind: string })
      .filter((event) => event.kind === 'RunEvent');

  beforeAll(async () => {
    door = await doorman();
    server = kind === 'Postgres' ? await journalServer() : undefined;
    here = await shop(
      'watch',
      `  backstay:hooks:
    - name: pause
      phase: frozen
      timeout: 2m
      action: { kind: http, target: { url: ${door.url}/pause } }
      reverse: { kind: http, target: { url: ${door.url}/unpause } }
`,
      server === undefined ? {} : { env: { BACKSTAY_DATABASE_URL: await server.database() } },
    );
    kubectl = await kubectlFor((await testSandbox()).kubeconfig);
    await apply('good');
    await here.capture(['--no-checks', '--as', 'good']);
  });
  afterAll(async () => {
    await here.remove();
    await door.close();
    await server?.stop();
  });
  beforeEach(async () => {
    await apply('bad');
    door.forget();
  });

  it('is shown live to who watches it, to its end and with its exit code', async () => {
    const { arrived, open } = door.hold('/pause');
    const run = here.machine.start(rollback());
    await arrived;
    const id = await newest();
    const person = here.machine.start(['watch', id]);
    const program = here.machine.start(['watch', id, '--output', 'jsonl']);
    await person.said('frozen');
    open();
    const answer = JSON.parse((await run.ended).stdout) as RunAnswer;
    expect(answer.outcome).toBe('succeeded');
    const [seen, lines] = [await person.ended, await program.ended];
    expect([seen.code, lines.code]).toEqual([0, 0]);
    expect(seen.stderr).toContain('succeeded after');
    expect(seen.stdout).toContain(`succeeded  run ${id}`);
    const events = eventsOf(lines.stdout);
    expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_, i) => i + 1));
    expect([events.at(0)?.type, events.at(-1)?.type]).toEqual(['run.started', 'run.ended']);
    expect(await here.machine.run(['watch', id])).toMatchObject({ code: 0 });
  });

  it('goes on when a watcher leaves, and ends for the watchers as it ends', async () => {
    const { arrived, open } = door.hold('/pause');
    const run = here.machine.start(rollback());
    await arrived;
    const id = await newest();
    const [leaves, stays] = [here.machine.start(['watch', id]), here.machine.start(['watch', id])];
    await leaves.said('frozen');
    await stays.said('frozen');
    leaves.child.kill('SIGINT');
    const left = await leaves.ended;
    expect(left).toMatchObject({ code: 130, stderr: expect.stringContaining('stopped watching') });
    run.child.kill('SIGTERM');
    await run.said('SIGTERM: stopping');
    open();
    expect((await run.ended).code).toBe(143);
    expect((await stays.ended).code).toBe(143);
  });

  it('can be watched and resumed after its process was killed', async () => {
    const { arrived } = door.hold('/pause');
    const run = here.machine.start(rollback());
    await arrived;
    run.child.kill('SIGKILL');
    await run.ended;
    const id = await newest();
    const watched = here.machine.start(['watch', id]);
    await watched.said('frozen');
    const resumed = await here.machine.json<RunAnswer>(['resume', id, '--yes']);
    expect(resumed).toMatchObject({ run: id, outcome: 'succeeded' });
    expect((await watched.ended).code).toBe(0);
  });

  it('is refused by name when one byte of its journal was changed', async () => {
    const id = (await here.machine.json<RunAnswer>(['rollback', here.name, '--to', 'good', '--yes'])).run;
    const where = server === undefined ? join(here.machine.stateDir, 'journal.sqlite') : 'postgres://';
    const url = here.machine.env['BACKSTAY_DATABASE_URL'];
    if (server !== undefined && url !== undefined) {
      await server.query(url, 'ALTER TABLE backstay.entries DISABLE TRIGGER USER');
      await server.query(
        url,
        `UPDATE backstay.entries SET entry = replace(entry, '"tester"', '"nobody"') WHERE run = $1 AND sequence = 1`,
        [id],
      );
    } else {
      const raw = new DatabaseSync(where);
      raw.exec('DROP TRIGGER entries_stay_as_they_are');
      raw
        .prepare(`UPDATE entries SET entry = replace(entry, '"tester"', '"nobody"') WHERE run = ? AND sequence = 1`)
        .run(id);
      raw.close();
    }
    for (const command of [
      ['report', id],
      ['watch', id],
      ['resume', id, '--yes'],
    ]) {
      const { exit, code, message } = await here.machine.refused(command);
      expect({ exit, code }).toEqual({ exit: 7, code: 'JOURNAL_BROKEN' });
      expect(message).toContain(`run ${id}`);
      expect(message).toContain(where);
      expect(message).toContain('entry 1 of it was changed');
    }
    const { items } = await here.machine.json<{ items: { run: string; result?: string; kind: string }[] }>([
      'history',
      here.name,
    ]);
    expect(items.find((one) => one.run === id)).toMatchObject({ kind: 'damaged' });
    expect(items.filter((one) => one.kind === 'run').length).toBeGreaterThan(0);
  });

  it('says where its journal is without saying who may read it', async () => {
    const { code, message } = await here.machine.refused(['watch', 'nothing'], {
      env: { BACKSTAY_DATABASE_URL: 'postgres://ada:hunter2@127.0.0.1:1/x' },
    });
    expect({ code, message }).toMatchObject({ code: 'JOURNAL_UNREACHABLE', message: expect.stringContaining(':1/x') });
    const all = here.machine.transcript.join('\n');
    const password = server?.password ?? 'hunter2';
    for (const secret of ['hunter2', password, encodeURIComponent(password)]) expect(all).not.toContain(secret);
  });
});
