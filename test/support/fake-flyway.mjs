/**
 * A stand-in for an edition of Flyway that has `undo`, which is paid for and cannot be had here. What the open edition does it
 * leaves to that; of the paid one it has the two things that Backstay relies on, as its documentation tells them: `info` says
 * which migrations have an undo script (`U2__name.sql` beside `V2__name.sql`), and `undo` runs that of the newest one and adds
 * a line of type UNDO_SQL to the history, where the line of the migration stays.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';

const [real, ...args] = process.argv.slice(2);
const folder = resolve(
  args.find((one) => one.startsWith('-locations='))?.slice('-locations=filesystem:'.length) ?? 'sql',
);
const scripts = new Map(
  readdirSync(folder).flatMap((name) => {
    const version = /^U(\d+)__/.exec(name)?.[1];
    return version === undefined ? [] : [[version, `${folder}/${name}`]];
  }),
);

/** Rows of one statement, by psql: the real one is Java. */
function sql(text) {
  const url = new URL((process.env.FLYWAY_URL ?? '').replace(/^jdbc:/, ''));
  const target = ['-h', url.hostname, '-p', url.port, '-U', process.env.FLYWAY_USER ?? '', '-d', url.pathname.slice(1)];
  const env = { PATH: process.env.PATH, PGPASSWORD: process.env.FLYWAY_PASSWORD };
  const out = execFileSync('psql', [...target, '-qAt1', '-v', 'ON_ERROR_STOP=1', '-c', text], {
    env,
    encoding: 'utf8',
  });
  return out.trim();
}

/** The open edition cannot read a history with such lines: what was undone is put aside while it works, and given back. */
const HIDE = `CREATE TABLE undone AS SELECT * FROM flyway_schema_history WHERE version IN (
    SELECT version FROM (SELECT DISTINCT ON (version) version, type FROM flyway_schema_history
      WHERE version IS NOT NULL ORDER BY version, installed_rank DESC) AS last WHERE type LIKE 'UNDO%');
  DELETE FROM flyway_schema_history WHERE installed_rank IN (SELECT installed_rank FROM undone)`;
const GIVE_BACK = `UPDATE flyway_schema_history SET installed_rank = installed_rank + (SELECT max(installed_rank) FROM undone)
    WHERE installed_on > (SELECT max(installed_on) FROM undone);
  INSERT INTO flyway_schema_history SELECT * FROM undone;
  DROP TABLE undone`;

/** Of the newest line of each version, those that say that it is there: the highest of them. */
function newest() {
  return sql(`SELECT version FROM (SELECT DISTINCT ON (version) version, type FROM flyway_schema_history
    WHERE version IS NOT NULL ORDER BY version, installed_rank DESC) AS last
    WHERE type NOT LIKE 'UNDO%' ORDER BY version::int DESC LIMIT 1`);
}

if (args.includes('undo')) {
  const version = newest();
  const script = scripts.get(version);
  if (script === undefined) {
    console.log(JSON.stringify({ error: { errorCode: 'ERROR', message: `Unable to undo version ${version}` } }));
    process.exit(1);
  }
  try {
    sql(`${readFileSync(script, 'utf8')};
      INSERT INTO flyway_schema_history SELECT max(installed_rank) + 1, '${version}', 'undo', 'UNDO_SQL', 'U${version}', NULL,
        current_user, now(), 1, true FROM flyway_schema_history`);
  } catch (error) {
    console.log(
      JSON.stringify({ error: { errorCode: 'FAILED_UNDO', message: String(error.stderr || error.message) } }),
    );
    process.exit(1);
  }
  console.log(JSON.stringify({ operation: 'undo', undoneMigrations: [{ version }] }));
  process.exit(0);
}

const isThere = sql(`SELECT to_regclass('flyway_schema_history') IS NOT NULL`) === 't';
const hidden = isThere && sql(`SELECT count(*) FROM flyway_schema_history WHERE type LIKE 'UNDO%'`) !== '0';
if (hidden) sql(HIDE);
const { status, stdout, stderr } = spawnSync(real, args, { encoding: 'utf8', maxBuffer: 2 ** 24 });
if (hidden) sql(GIVE_BACK);
process.stderr.write(stderr);
if (!args.includes('info')) {
  process.stdout.write(stdout);
  process.exit(status ?? 1);
}
const answer = JSON.parse(stdout.slice(stdout.indexOf('{')));
for (const migration of answer.individualResults?.[0]?.migrations ?? []) {
  const script = scripts.get(migration.version);
  if (script !== undefined) Object.assign(migration, { undoable: 'Yes', undoFilepath: script });
}
process.stdout.write(JSON.stringify(answer));
process.exit(status ?? 1);
