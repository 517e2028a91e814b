import { execFile } from 'node:child_process';
import { chmodSync, chownSync, statSync } from 'node:fs';
import { appendFile, chmod, copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connected } from '../../../src/adapters/postgres/store/connection.ts';
import { postgresStore } from '../../support/postgres-store.ts';
import { sectionOf, withService } from '../../../src/adapters/postgres/store/service-file.ts';
import { createSystemClock } from '../../../src/adapters/system/index.ts';
import type { PostgresConnection } from '../../../src/model/index.ts';
import { createPki } from '../../../src/sandbox/pki.ts';
import { startTestPostgres, type TestPostgres } from '../../support/postgres-server.ts';

/** The ways to a server that libpq knows, for connections of our own and for the tools alike. */
describe('the way to a server', () => {
  let server: TestPostgres;
  let dir: string;
  let sockets: string;
  let ca: string;
  let otherCa: string;

  const isEncrypted = async (connection: PostgresConnection): Promise<boolean> =>
    await connected({ connection, password: server.password }, async (client) => {
      const { rows } = await client.query<{ ssl: boolean }>('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()');
      return rows[0]?.ssl === true;
    });
  const at = (more: Partial<PostgresConnection>): PostgresConnection => ({
    host: 'localhost',
    port: server.port,
    user: server.user,
    database: 'app',
    ...more,
  });
  /** A backup goes the whole way: a connection of our own and two tools. */
  const backsUp = async (connection: PostgresConnection): Promise<unknown> => {
    const store = postgresStore({
      stack: 'shop',
      setting: { name: 'main', kind: 'postgres', connection, tables: [], writers: [] },
      access: async () => ({ connection, password: server.password }),
      root: join(dir, 'backups'),
      clock: createSystemClock(),
      env: process.env,
    });
    return (await store.backup()).manifest.rows;
  };

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'backstay-way-'));
    await chmod(dir, 0o755);
    sockets = join(dir, 'sockets');
    await mkdir(sockets);
    await chmod(sockets, 0o777);
    const [own, other] = await Promise.all([createPki(join(dir, 'pki')), createPki(join(dir, 'other'))]);
    ca = own.ca;
    otherCa = other.ca;
    server = await startTestPostgres([
      '-c',
      `unix_socket_directories=${sockets}`,
      '-c',
      'listen_addresses=127.0.0.1,127.0.0.2',
    ]);
    await server.run('postgres', 'CREATE DATABASE app');
    await server.run('app', 'CREATE TABLE pages (id int PRIMARY KEY)', 'INSERT INTO pages VALUES (1), (2)');
    const [row] = await server.run('postgres', 'SHOW data_directory');
    const data = String(row?.['data_directory']);
    await copyFile(own.etcd.cert, join(data, 'tls.crt'));
    await copyFile(own.etcd.key, join(data, 'tls.key'));
    await appendFile(
      join(data, 'pg_hba.conf'),
      'local all all scram-sha-256\nhost all all 127.0.0.0/8 scram-sha-256\n',
    );
    await server.run('postgres', 'SELECT pg_reload_conf()');
    const { uid, gid } = statSync(data);
    for (const file of ['tls.crt', 'tls.key']) {
      chownSync(join(data, file), uid, gid);
      chmodSync(join(data, file), 0o600);
    }
  });
  afterAll(async () => {
    await server.stop();
    await rm(dir, { recursive: true, force: true });
  });

  it('is plain where the server cannot encrypt, unless encryption is asked for', async () => {
    await server.run('postgres', 'ALTER SYSTEM SET ssl = off', 'SELECT pg_reload_conf()');
    await expect.poll(async () => (await server.run('postgres', 'SHOW ssl'))[0]).toEqual({ ssl: 'off' });
    expect(await isEncrypted(at({}))).toBe(false);
    await expect(isEncrypted(at({ sslmode: 'require' }))).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
  });

  it('is encrypted where the server can, and proves who answers when it is told to', async () => {
    await server.run(
      'postgres',
      `ALTER SYSTEM SET ssl_cert_file = 'tls.crt'`,
      `ALTER SYSTEM SET ssl_key_file = 'tls.key'`,
      'ALTER SYSTEM SET ssl = on',
      'SELECT pg_reload_conf()',
    );
    await expect.poll(async () => (await server.run('postgres', 'SHOW ssl'))[0]).toEqual({ ssl: 'on' });
    expect(await isEncrypted(at({}))).toBe(true);
    expect(await isEncrypted(at({ sslmode: 'disable' }))).toBe(false);
    expect(await isEncrypted(at({ sslmode: 'require' }))).toBe(true);
    const known = at({ host: '127.0.0.1', sslmode: 'verify-full', sslrootcert: ca });
    expect(await isEncrypted(known)).toBe(true);
    expect(await backsUp(known)).toEqual({ 'public.pages': 2 });
    const stranger = at({ host: '127.0.0.1', sslmode: 'verify-full', sslrootcert: otherCa });
    await expect(isEncrypted(stranger)).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
    // The certificate names localhost and 127.0.0.1 alone.
    const byName = at({ host: '127.0.0.2', sslrootcert: ca });
    expect(await isEncrypted({ ...byName, sslmode: 'verify-ca' })).toBe(true);
    await expect(isEncrypted({ ...byName, sslmode: 'verify-full' })).rejects.toMatchObject({
      code: 'STORE_UNREACHABLE',
      message: expect.stringMatching(/altnames|IP/),
    });
  });

  it('may be a socket', async () => {
    expect(await backsUp(at({ host: sockets }))).toEqual({ 'public.pages': 2 });
  });

  it('may be a service that libpq knows, whose file the stack file can overrule', async () => {
    const file = join(dir, 'services.conf');
    await writeFile(
      file,
      `# ours\n[other]\nhost=nowhere\n\n[books]\nhost=127.0.0.1\nport=${server.port}\nuser=${server.user}\nsslmode=disable\n`,
    );
    const env = { PGSERVICEFILE: file };
    const { connection } = await withService(
      { connection: { database: 'app', service: 'books' }, password: server.password },
      env,
    );
    expect(connection).toMatchObject({ host: '127.0.0.1', port: server.port, sslmode: 'disable', database: 'app' });
    expect(await backsUp(connection)).toEqual({ 'public.pages': 2 });
    const own = { connection: { database: 'app', service: 'other', host: 'localhost' }, password: undefined };
    expect((await withService(own, env)).connection.host).toBe('localhost');
    const unknown = { connection: { database: 'app', service: 'none' }, password: undefined };
    await expect(withService(unknown, env)).rejects.toMatchObject({
      code: 'STORE_UNREACHABLE',
      message: expect.stringContaining(file),
    });
  });

  it.each([
    ['[a]\nhost=x\n[b]\nhost=y', 'a', { host: 'x' }],
    ['[a]\n host = x \n#host=z\n\n', 'a', { host: 'x' }],
    ['[a]\npassword=p=q', 'a', { password: 'p=q' }],
    ['[a]', 'a', {}],
    ['host=x', 'a', undefined],
  ])('reads %j', (text, name, expected) => {
    expect(sectionOf(text, name)).toEqual(expected);
  });

  it('is told without the password when it is wrong', async () => {
    const wrong = connected({ connection: at({ sslmode: 'disable' }), password: 'wr0ng-w0rd' }, async () => true);
    await expect(wrong).rejects.toMatchObject({ code: 'STORE_UNREACHABLE', next: expect.stringContaining('password') });
    await expect(wrong).rejects.not.toThrow(/wr0ng/);
  });

  it('never shows a password to others of this machine', async () => {
    const seen = new Set<string>();
    const isDumped = (): boolean => [...seen].some((line) => line.includes('pg_dump') && line.includes(dir));
    // The programs are short: as often as it takes to see one at work.
    while (!isDumped()) {
      const over = new AbortController();
      const backup = backsUp(at({})).finally(() => over.abort());
      while (!over.signal.aborted)
        for (const line of (await promisify(execFile)('ps', ['-eo', 'args'])).stdout.split('\n')) seen.add(line);
      await backup;
    }
    expect([...seen].join('\n')).not.toContain(server.password);
  });
});
