import { randomBytes } from 'node:crypto';
import { committedEffects } from './committed.ts';
import type { Effects } from './effects.ts';

/** A PostgreSQL that writes every statement to its log, each line beginning with `%c %d ` (session and database). */
export interface LoggingServer {
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** What it wrote so far. */
  log(): Promise<string>;
  run(database: string, ...statements: readonly string[]): Promise<readonly Record<string, unknown>[]>;
}

/** Settings with which such a server has to be started. */
export const LOGGING = ['log_statement=all', 'log_line_prefix=%c %d '].flatMap((setting) => ['-c', setting]);

const PAGES = 200;

/** A database that a release damages, beside the one that holds the journal: both on a server that tells what was done to it. */
export class ChaosDatabase {
  readonly name = `pages${randomBytes(3).toString('hex')}`;
  readonly journal = `journal${randomBytes(3).toString('hex')}`;
  readonly #server: LoggingServer;

  constructor(server: LoggingServer) {
    this.#server = server;
  }

  get env(): Readonly<Record<string, string>> {
    const { user, password, port } = this.#server;
    return {
      CHAOS_PASSWORD: password,
      BACKSTAY_DATABASE_URL: `postgres://${user}:${password}@127.0.0.1:${port}/${this.journal}`,
    };
  }

  get setting(): Readonly<Record<string, unknown>> {
    const { port, user } = this.#server;
    const password = { env: 'CHAOS_PASSWORD' };
    return {
      name: 'main',
      kind: 'postgres',
      connection: { host: '127.0.0.1', port, database: this.name, user, password },
    };
  }

  async make(): Promise<void> {
    await this.#server.run('postgres', `CREATE DATABASE ${this.name}`, `CREATE DATABASE ${this.journal}`);
    await this.#server.run(
      this.name,
      'CREATE TABLE pages (id int PRIMARY KEY, text text NOT NULL)',
      `INSERT INTO pages SELECT n, 'page ' || n FROM generate_series(1, ${PAGES}) AS n`,
    );
  }

  /** What the bad release does, once more; and nothing is kept of the runs before. */
  async damage(): Promise<void> {
    for (const name of await this.#names())
      if (name !== this.name) await this.#server.run('postgres', `DROP DATABASE ${name} WITH (FORCE)`);
    await this.#server.run(this.name, `UPDATE pages SET text = 'damaged' WHERE id % 2 = 0`);
  }

  /** Which databases there are, and what the live one holds: equal forms are equal data. */
  async form(): Promise<ReadonlyMap<string, string>> {
    const [row] = await this.#server.run(
      this.name,
      `SELECT md5(string_agg(text, ',' ORDER BY id)) AS digest FROM pages`,
    );
    const names = (await this.#names()).map((name) => name.replace(/__bs_\w+?(?=_prev$|$)/, '__bs_RUN'));
    return new Map([
      ['database rows', String(row?.['digest'])],
      ['databases', names.join(' ')],
    ]);
  }

  async #names(): Promise<readonly string[]> {
    const rows = await this.#server.run(
      'postgres',
      `SELECT datname FROM pg_database WHERE datname LIKE '${this.name}%' ORDER BY 1`,
    );
    return rows.map(({ datname }) => String(datname));
  }

  /** From now on: what was committed, as the server's own log has it. */
  async startMeasuring(): Promise<() => Promise<Effects>> {
    const since = (await this.#server.log()).length;
    return async () =>
      committedEffects((await this.#server.log()).slice(since), { data: this.name, journal: this.journal });
  }
}
