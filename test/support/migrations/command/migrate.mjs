/** A stack's own migration program, by psql: what docs/databases.md asks of one. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const [verb, to] = process.argv.slice(2);
const NAMES = ['first', 'second', 'third'];
const psql = (sql) => execFileSync('psql', ['-XAtq', '-v', 'ON_ERROR_STOP=1', '-c', sql], { encoding: 'utf8' }).trim();
const standing = () => Number(psql('SELECT coalesce(max(step), 0) FROM own_revisions')) - 1;
const at = standing();
const refuse = (why) => {
  console.error(why);
  process.exit(3);
};
const place = () => {
  if (to === 'base') return -1;
  const found = to === '-1' ? at - 1 : NAMES.indexOf(to);
  return found < -1 || (to !== '-1' && found === -1) ? refuse(`there is no revision ${to}`) : found;
};
const script = (step, way) => readFileSync(new URL(`./own/${NAMES[step]}.${way}.sql`, import.meta.url), 'utf8');
const nameOf = (step) => NAMES[step] ?? null;

if (verb === 'current') {
  console.log(JSON.stringify({ revision: nameOf(at), database: psql('SELECT current_database()') }));
} else if (verb === 'list') {
  const revisions = NAMES.map((revision, step) => ({
    revision,
    after: step === 0 ? [] : [NAMES[step - 1]],
    applied: step <= at,
  }));
  console.log(JSON.stringify({ revisions }));
} else if (verb === 'way') {
  const end = place();
  const down = NAMES.filter((_name, step) => step <= at && step > end).reverse();
  const up = NAMES.filter((_name, step) => step > at && step <= end);
  const direction = end === at ? 'none' : end < at ? 'down' : 'up';
  const steps = [...down, ...up].map((revision) => ({ revision, title: `step ${revision}` }));
  const statements = down.map((name) => script(NAMES.indexOf(name), 'down')).join('');
  console.log(JSON.stringify({ from: nameOf(at), to: nameOf(end), direction, steps, statements }));
} else if (verb === 'migrate') {
  console.log(`with ${process.env.DATABASE_URL}`);
  const end = place();
  for (let step = at; step > end; step -= 1)
    psql(`BEGIN; ${script(step, 'down')} DELETE FROM own_revisions WHERE step = ${step + 1}; COMMIT`);
  for (let step = at + 1; step <= end; step += 1)
    psql(`BEGIN; ${script(step, 'up')} INSERT INTO own_revisions VALUES (${step + 1}); COMMIT`);
} else refuse(`what is ${verb}?`);
