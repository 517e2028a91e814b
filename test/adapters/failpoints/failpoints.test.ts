import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createFailpoints } from '../../../src/adapters/failpoints/index.ts';
import { MARKS } from '../../../src/adapters/failpoints/marks.ts';
import type { Exec, HttpClient } from '../../../src/ports/index.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'backstay-failpoints-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const done: Exec = { run: async () => ({ exitCode: 0, stdout: '', stderr: '' }) };
const ask = { timeoutMs: 1_000 };

describe('failpoints', () => {
  it('write down each reach, before and after, also when the call fails', async () => {
    const trace = join(dir, 'trace');
    const { around } = createFailpoints({ trace });
    await around('exec', done).run(['/bin/date'], ask);
    const failing: Exec = { run: async () => await Promise.reject(new TypeError('no')) };
    await expect(around('exec', failing).run(['/bin/no#thing'], ask)).rejects.toThrow('no');
    expect((await readFile(trace, 'utf8')).trim().split('\n')).toEqual([
      'exec.run.before@date',
      'exec.run.after@date',
      'exec.run.before@no~thing',
      'exec.run.after@no~thing',
    ]);
  });

  it('leave reads and dry runs alone, and never write down an address', async () => {
    const trace = join(dir, 'reads');
    const { around } = createFailpoints({ trace });
    const answering: HttpClient = { request: async () => ({ status: 200, headers: {}, body: '' }) };
    const http = around('http', answering);
    await http.request({ method: 'GET', url: 'http://webhook.example/T0/secret', timeoutMs: 1 });
    await http.request({
      method: 'POST',
      url: 'http://webhook.example/T0/secret',
      headers: { 'Idempotency-Key': 'run-1/announce' },
      timeoutMs: 1,
    });
    expect(await readFile(trace, 'utf8')).toBe('http.request.before@announce\nhttp.request.after@announce\n');
  });

  it.each(['no spaces', 'exec.run.before=explode', '@detail', 'exec.run.before#0'])('refuse the setting %s', (at) => {
    expect(() => createFailpoints({ at })).toThrow(expect.objectContaining({ code: 'USAGE' }) as Error);
  });

  it.each([
    ['exec.run.before', 'SIGKILL', ''],
    ['exec.run.after@date', 'SIGKILL', 'ran '],
    ['exec.run.before@date#2', 'SIGKILL', 'ran '],
    ['exec.run.before@other,exec.run.before#3', 'SIGKILL', 'ran ran '],
    ['exec.run.before=group', 'SIGKILL', ''],
    ['exec.run.before@other', null, 'ran ran ran '],
  ])('%s ends the process with %s', async (at, signal, said) => {
    expect(await inProcess(at)).toEqual({ signal, said });
  });
});

/** Three calls in a process of its own, which says of each that it was made. */
async function inProcess(at: string): Promise<{ readonly signal: string | null; readonly said: string }> {
  const index = new URL('../../../src/adapters/failpoints/index.ts', import.meta.url).href;
  const program = `
    import { writeSync } from 'node:fs';
    import { createFailpoints } from ${JSON.stringify(index)};
    const exec = createFailpoints({ at: ${JSON.stringify(at)} }).around('exec', { run: async () => writeSync(1, 'ran ') });
    for (let i = 0; i < 3; i += 1) await exec.run(['/bin/date'], {});`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { detached: true });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const signal = await new Promise<string | null>((resolve) => child.once('close', (_code, by) => resolve(by)));
  return { signal, said };
}

/** Ports that only read, or that a run never uses to change anything. */
const WITHOUT = [
  // Adapters of DataStore and Migrations are made of them: the points lie around those.
  'BackupShelf',
  'MigrationDatabase',
  'MigrationSql',
  // A way through; what is done over it is the data store's to say.
  'Forward',
  // Processes of our own: what they write has points of theirs.
  'RunProcesses',
  'CommandProcesses',
  'Clock',
  'Reporter',
  'KeyReader',
  'SecretHasher',
  'Archive',
  'Credentials',
  'InitKeys',
  'ReadManifests',
];
const PORT_OF: Readonly<Record<string, string>> = {
  journal: 'JournalStore',
  records: 'ServiceStore',
  store: 'SnapshotStore',
  files: 'PrivateFiles',
  lock: 'Lock',
  held: 'HeldLock',
  cluster: 'Cluster',
  engine: 'Engine',
  http: 'HttpClient',
  exec: 'Exec',
  dataStore: 'DataStore',
  migrations: 'Migrations',
};

/** As compose.ts calls them. */
const NAME_OF: Readonly<Record<string, string>> = {
  store: 'snapshot',
  lock: 'lease',
  held: 'lease',
  dataStore: 'data-store',
};

describe('the table of failpoints', () => {
  it('knows every port that has something to call', async () => {
    const folder = new URL('../../../src/ports/', import.meta.url);
    const texts = await Promise.all(
      (await readdir(folder)).map(async (name) => await readFile(new URL(name, folder), 'utf8')),
    );
    const ports = texts.flatMap((text) =>
      [...text.matchAll(/^export interface (\w+)[^{]*\{\n([\s\S]*?)^\}/gm)]
        .filter(([, , body = '']) => /^ {2}\w+(<[^>]*>)?\([\s\S]*?\): (Promise|AsyncIterable)</m.test(body))
        .map(([, name = '']) => name),
    );
    expect(Object.keys(PORT_OF).sort()).toEqual(Object.keys(MARKS).sort());
    expect(ports.filter((name) => !WITHOUT.includes(name)).sort()).toEqual(Object.values(PORT_OF).sort());
  });

  it('is what the documentation says', async () => {
    const page = new URL('../../../docs/architecture/crash-safety.md', import.meta.url);
    const told = [...(await readFile(page, 'utf8')).matchAll(/^\| `([\w-]+\.[\w-]+)` \|/gm)].map(([, name]) => name);
    const named = Object.entries(MARKS).flatMap(([port, marks]) =>
      Object.values(marks).flatMap((mark: 'read' | { readonly write: string }) =>
        mark === 'read' ? [] : [`${NAME_OF[port] ?? port}.${mark.write}`],
      ),
    );
    // These come from where they are put in place: the store's files, and the objects of the lease.
    const more = ['snapshot-file.write', 'lease.create', 'lease.replace'];
    expect(new Set(told)).toEqual(new Set([...named, ...more]));
  });

  it('has a name of its own for each write', () => {
    const names = Object.entries(MARKS).flatMap(([port, marks]) =>
      Object.values(marks).flatMap((mark: 'read' | { readonly write: string }) =>
        mark === 'read' ? [] : [`${port}.${mark.write}`],
      ),
    );
    expect(new Set(names).size).toBe(names.length);
  });
});
