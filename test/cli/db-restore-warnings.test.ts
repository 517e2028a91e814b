import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Plan } from '../../src/model/index.ts';
import { type Machine, machine } from '../support/backstay.ts';
import { downKubeconfig } from '../support/credentials.ts';
import { exampleOf, migrationsLike } from '../support/migrations/index.ts';
import { startTestPostgres, type TestPostgres } from '../support/postgres-server.ts';

/** On a real server with migrations of its own, and with the API server down. */
describe('what the plan of a restore warns of', { timeout: 120_000 }, () => {
  let server: TestPostgres;
  let here: Machine;
  let folder: string;
  const left: (() => Promise<void>)[] = [];

  const migrate = async (to: string): Promise<void> => {
    const like = migrationsLike({ setting: { tool: 'table' }, database: 'books', server, folder });
    await like.migrate(await like.wayTo(to));
  };
  const warnings = async (...more: readonly string[]): Promise<string> => {
    const restore = ['db', 'restore', 'shop', 'latest', '--database-lease', '--dry-run', '--reason', 'bad'];
    const { stdout } = await here.ok([...restore, ...more, '--output', 'json']);
    const shown = JSON.parse(stdout) as { readonly plan?: Plan } & Plan;
    return (shown.plan ?? shown).warnings.join('\n');
  };

  beforeAll(async () => {
    server = await startTestPostgres();
    left.push(async () => await server.stop());
    await server.run('postgres', 'CREATE DATABASE books');
    const example = await exampleOf('table');
    left.push(async () => await example.remove());
    ({ folder } = example);
    await migrate('2');
    here = await machine({ env: { DB_PASSWORD: server.password, KUBECONFIG: await downKubeconfig(folder) } });
    left.push(async () => await here.remove());
    await here.stack(
      'shop',
      `config:
  backstay:namespaces: [shop]
  backstay:stores:
    - name: main
      kind: postgres
      connection: { host: 127.0.0.1, port: ${server.port}, database: books, user: ada, password: { env: DB_PASSWORD } }
      migrations: { tool: table, runs: { folder: ${folder} } }
`,
    );
    await here.ok(['keys', 'init', 'shop']);
    await here.ok(['db', 'backup', 'shop']);
  }, 120_000);
  afterAll(async () => {
    for (const end of left.toReversed()) await end();
  });

  it('of nothing about the schema where it is that of the backup', async () => {
    expect(await warnings()).not.toContain('schema');
  });

  it('of a schema that the application which runs was not made for', async () => {
    await migrate('3');
    expect(await warnings()).toMatch(
      /main: the backup has the schema 0002_notes, and live is at 0003_tags, .*rollback --restore main=\d{8}-/,
    );
    await migrate('2');
  });

  it('of what is lost in place while nobody is stopped, and of nothing like it beside', async () => {
    expect(await warnings('--in-place')).toContain('main: what anybody writes between the backup of now');
    expect(await warnings()).not.toContain('is lost');
  });
});
