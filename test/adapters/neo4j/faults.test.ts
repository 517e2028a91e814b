import { fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, readdirSync } from 'node:fs';
import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { connected } from '../../../src/adapters/neo4j/bolt.ts';
import { pointedTo, pointerFrom } from '../../../src/adapters/neo4j/place-local.ts';
import { swappedIn } from '../../../src/adapters/neo4j/record.ts';
import type { Backup } from '../../../src/model/index.ts';
import type { DataStore } from '../../../src/ports/index.ts';
import { startTestNeo4j, type TestNeo4j } from '../../support/neo4j-server.ts';
import { CAN_MOUNT, smallDisk } from '../../support/small-disk.ts';
import { besideOf, fill, ROWS, storeOn } from './support.ts';

const LIMIT = 300_000;

/** On one real server: what happens to a graph when programs, disks and people fail in the middle. */
describe('a Neo4j data store, when something fails', () => {
  let neo4j: TestNeo4j;
  let root: string;
  let store: DataStore;
  const marker = async (): Promise<unknown> => (await neo4j.run('MATCH (m:Marker) RETURN m.word AS word'))[0]?.['word'];
  const setting = () => ({ ...store.setting, kind: 'neo4j' }) as Extract<DataStore['setting'], { kind: 'neo4j' }>;

  beforeAll(async () => {
    neo4j = await startTestNeo4j();
  }, LIMIT);
  afterAll(async () => await neo4j.stop());
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'backstay-backups-'));
    await fill(neo4j);
    store = storeOn(neo4j, root);
  }, LIMIT);
  afterEach(async () => await rm(root, { recursive: true, force: true }));

  /** The same backup with its file harmed and a manifest that knows nothing of it: only Neo4j itself can tell. */
  async function harmed(backup: Backup, harm: (file: string) => Promise<void>): Promise<Backup> {
    const file = join(backup.folder, backup.manifest.file.name);
    await harm(file);
    const content = await readFile(file);
    const digest = `sha256:${createHash('sha256').update(content).digest('hex')}` as const;
    return {
      ...backup,
      manifest: { ...backup.manifest, file: { ...backup.manifest.file, bytes: content.length, digest } },
    };
  }
  const cut = async (file: string): Promise<void> =>
    await truncate(file, Math.round((await readFile(file)).length * 0.6));
  const flip = async (file: string): Promise<void> => {
    const content = await readFile(file);
    const at = Math.round(content.length / 2);
    content[at] = (content[at] ?? 0) ^ 1;
    await writeFile(file, content);
  };

  it(
    'leaves the old graph in place when a dump that was cut off is loaded, or one with a flipped bit',
    async () => {
      const whole = await store.backup();
      const copy = await readFile(join(whole.folder, whole.manifest.file.name));
      for (const harm of [cut, flip]) {
        await writeFile(join(whole.folder, whole.manifest.file.name), copy);
        const backup = await harmed(whole, harm);
        // Its check finds it before anything is loaded …
        await expect(store.restoreBeside({ ...backup, proofs: [] }, 'r1')).rejects.toMatchObject({
          code: 'BACKUP_DAMAGED',
        });
        // … and if that is believed to have been done, the load or the check after it.
        await expect(store.restoreBeside(backup, 'r1')).rejects.toMatchObject({
          code: expect.stringMatching(/^(STORE_FAILED|BACKUP_DAMAGED)$/),
        });
        expect(await store.stateOf('r1')).toBe('nothing');
        expect(await besideOf(neo4j)).toEqual([]);
      }
      expect((await store.inspect()).rows).toEqual(ROWS);
      // The files themselves are whole as well: the server comes up on them.
      await neo4j.kill();
      await neo4j.start();
      expect((await store.inspect()).rows).toEqual(ROWS);
    },
    LIMIT,
  );

  it.runIf(CAN_MOUNT)(
    'serves again after a dump for which no room is left, whose volume is named',
    async () => {
      const small = await smallDisk(2 ** 20);
      try {
        await small.fill(8 * 1024);
        const short = storeOn(neo4j, join(small.folder, 'backups'));
        await expect(short.backup()).rejects.toMatchObject({
          code: 'VOLUME_FULL',
          message: expect.stringContaining(`${small.folder}/backups`),
          next: expect.stringContaining('Make room there'),
        });
        expect(await short.backups()).toEqual([]);
        expect((await store.inspect()).rows).toEqual(ROWS);
      } finally {
        await small.stop();
      }
    },
    LIMIT,
  );

  it(
    'says that the server cannot open what was restored, as soon as that knows it',
    async () => {
      const backup = await store.backup();
      await neo4j.run("MATCH (m:Marker) SET m.word = 'two'");
      const { database } = await store.restoreBeside(backup, 'r1');
      const files = join(neo4j.home, 'data', 'databases', database);
      for (const name of readdirSync(files)) if (name.startsWith('neostore')) await truncate(join(files, name), 10);
      // So patient that only what the server says can end it before this test's own time is over.
      const patient = storeOn(neo4j, root, { setting: { ...setting(), limitMs: 10 * LIMIT } });
      const failed: unknown = await patient.swap('r1').catch((error: unknown) => error);
      const all = await connected(
        { connection: setting().connection, password: neo4j.password },
        async (ask) => await ask('SHOW DATABASES YIELD name, currentStatus, statusMessage'),
        undefined,
        'system',
      );
      const said = all.find(({ name }) => name === database);
      expect(said).toMatchObject({ statusMessage: expect.stringMatching(/./) });
      expect(said?.['currentStatus']).not.toBe('online');
      expect(failed).toMatchObject({
        code: 'STORE_FAILED',
        message: `the server is up and cannot open ${database}: ${String(said?.['statusMessage'])}`,
      });
      expect(await store.stateOf('r1')).toBe('swapped');
      await store.undoSwap('r1');
      expect(await marker()).toBe('two');
      expect(await store.finalize('r1')).toEqual([database]);
    },
    LIMIT,
  );

  it(
    'recovers a server that was killed before it dumps it',
    async () => {
      await neo4j.run("CREATE (:Late {word: 'written right before'})");
      await neo4j.kill();
      const backup = await store.backup();
      expect(backup.manifest.rows).toMatchObject({ Late: 1, Document: 300 });
      expect(await marker()).toBe('one');
    },
    LIMIT,
  );

  it(
    'says that a login was refused, and not by what password',
    async () => {
      const password = 'not the one that was set';
      const other = storeOn(neo4j, root, { access: async () => ({ connection: setting().connection, password }) });
      const refused: unknown = await other.inspect().catch((error: unknown) => error);
      expect(refused).toMatchObject({ code: 'STORE_UNREACHABLE' });
      expect(JSON.stringify(refused) + String(refused)).not.toContain(password);
      await expect(other.backup()).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
      expect(await marker()).toBe('one');
      expect(await other.backups()).toEqual([]);
    },
    LIMIT,
  );

  it(
    'ends a JVM that hangs, and starts the server again that it was stopped for',
    async () => {
      const hanging = storeOn(neo4j, root, {
        tools: async () => ({ admin: ['/bin/sh', '-c', 'sleep 1000 & sleep 1000', 'hanging-admin'], console: [] }),
        setting: { ...setting(), limitMs: 20_000 },
      });
      await expect(hanging.backup()).rejects.toMatchObject({ code: 'TIMEOUT' });
      expect(await marker()).toBe('one');
      expect(await store.backups()).toEqual([]);
      expect(commands().filter((line) => line.includes('sleep\x001000'))).toEqual([]);
    },
    LIMIT,
  );

  it(
    'proves nothing by a scratch server that does not start',
    async () => {
      const backup = await store.backup();
      const dead = storeOn(neo4j, root, {
        tools: async () => ({ ...neo4j.tools, console: ['/bin/sh', '-c', 'echo no room for it; exit 3'] }),
      });
      await expect(dead.prove(backup, 'restored')).rejects.toMatchObject({
        code: 'STORE_FAILED',
        message: expect.stringContaining('no room for it'),
      });
      await expect(dead.restoreBeside(backup, 'r1')).rejects.toMatchObject({ code: 'STORE_FAILED' });
      expect(await besideOf(neo4j)).toEqual([]);
      expect((await store.find('latest')).proofs.map(({ proof }) => proof)).toEqual(['read']);
    },
    LIMIT,
  );

  it(
    'leaves nothing of a load that is told to stop in its middle, and begins anew',
    async () => {
      const backup = await store.backup();
      const stop = new AbortController();
      const restoring = store.restoreBeside(backup, 'r1', stop.signal).catch((error: unknown) => error);
      while ((await besideOf(neo4j)).length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
      stop.abort();
      expect(await restoring).toMatchObject({ name: 'AbortError' });
      expect(await besideOf(neo4j)).toEqual([]);
      expect(await marker()).toBe('one');
      const { rows, database } = await store.restoreBeside(backup, 'r1');
      expect(rows).toEqual(ROWS);
      expect(await store.finalize('r1')).toEqual([database]);
    },
    LIMIT,
  );

  it(
    'finishes what a process began that was killed while it loaded',
    async () => {
      await store.backup();
      const child = fork(new URL('restoring.ts', import.meta.url), { stdio: 'ignore' });
      child.send({ neo4j: { ...neo4j }, root });
      while ((await besideOf(neo4j)).length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
      child.kill('SIGKILL');
      await once(child, 'exit');
      // Its JVM ends with it: nobody goes on writing what the next one removes.
      await expect.poll(() => commands().filter((line) => line.includes('AdminTool')), { timeout: 60_000 }).toEqual([]);
      expect(await store.stateOf('r1')).toBe('nothing');
      const restored = await store.restoreBeside(await store.find('latest'), 'r1');
      expect(restored.rows).toEqual(ROWS);
      expect(await store.finalize('r1')).toEqual([restored.database]);
    },
    LIMIT,
  );

  it(
    'starts a server that was pointed elsewhere by a process that was killed then',
    async () => {
      const backup = await store.backup();
      await neo4j.run("MATCH (m:Marker) SET m.word = 'two'");
      const { database } = await store.restoreBeside(backup, 'r1');
      await neo4j.kill();
      const text = await readFile(neo4j.conf, 'utf8');
      await writeFile(neo4j.conf, pointedTo(text, swappedIn(pointerFrom(text, 'neo4j'), 'r1')));
      const { kept } = await store.swap('r1');
      expect(await marker()).toBe('one');
      expect(kept).not.toBe(database);
      await store.undoSwap('r1');
      expect(await marker()).toBe('two');
      expect(await store.finalize('r1')).toEqual([database]);
    },
    LIMIT,
  );

  it(
    'exchanges nothing when the server cannot be stopped',
    async () => {
      const backup = await store.backup();
      await store.restoreBeside(backup, 'r1');
      const stuck = storeOn(neo4j, root, {
        setting: { ...setting(), server: { ...neo4j.server, stop: ['/bin/sh', '-c', 'echo it is busy >&2; exit 1'] } },
      });
      await expect(stuck.swap('r1')).rejects.toMatchObject({
        code: 'STORE_FAILED',
        message: expect.stringContaining('it is busy'),
      });
      expect(await store.stateOf('r1')).toBe('before');
      expect(await marker()).toBe('one');
      await store.finalize('r1');
      expect(await besideOf(neo4j)).toEqual([]);
    },
    LIMIT,
  );

  /** Command lines of what runs here as a child of these tests, wherever it hangs by now: their home is in them. */
  function commands(): readonly string[] {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .flatMap((pid) => {
        try {
          const environment = readFileSync(`/proc/${pid}/environ`, 'utf8');
          return environment.includes(root) ? [readFileSync(`/proc/${pid}/cmdline`, 'utf8')] : [];
        } catch {
          return [];
        }
      });
  }
});
