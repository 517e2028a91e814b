import type { Client } from 'pg';

/** What is live, as far as a backup may hold it: what stands for itself, what is a part of that, and what needs what. */
export interface LiveObjects {
  readonly objects: readonly LiveObject[];
  /** Rules, constraints, defaults, indexes and the like, and of which object each is. */
  readonly parts: readonly { readonly key: string; readonly of: string }[];
  /** `key` cannot be without `on`. */
  readonly needs: readonly { readonly key: string; readonly on: string }[];
}

export interface LiveObject {
  /** `catalogue/oid`. */
  readonly key: string;
  /** As the archive's list names it: `TABLE public documents`, `SCHEMA - audit`. */
  readonly label: string;
  /** Whether the user may drop it. */
  readonly owns: boolean;
}

/** A line of `pg_restore --list`: number, catalogue and oid of then, what it is, and its owner, whom extensions lack. */
const LISTED = /^\d+; \d+ \d+ (.*) \S*$/;
/** Is never dropped by a restore, whatever is said of it in an archive. */
const PUBLIC = 'SCHEMA - public';

/** What an archive holds, by label. */
export function labelsIn(list: string): ReadonlySet<string> {
  const labels = list.split('\n').flatMap((line) => LISTED.exec(line)?.[1] ?? []);
  return new Set(labels.filter((label) => label !== PUBLIC));
}

/** Why what a backup holds cannot be dropped to be made anew, in words: owned by others, or needed by what it does not hold. */
export function standsInTheWay(live: LiveObjects, inBackup: ReadonlySet<string>): readonly string[] {
  const labels = new Map(live.objects.map(({ key, label }) => [key, label]));
  const whole = new Map(live.parts.map(({ key, of }) => [key, of]));
  const labelOf = (key: string): string | undefined => labels.get(topOf(key, whole));
  const needed = live.needs.flatMap(({ key, on }) => {
    const [one, other] = [labelOf(key), labelOf(on)];
    if (one === undefined || other === undefined || one === other) return [];
    return !inBackup.has(one) && inBackup.has(other)
      ? [`${spoken(one)} is not in the backup and needs ${spoken(other)}: drop it first, and make it again afterwards`]
      : [];
  });
  const foreign = live.objects.filter(({ label, owns }) => !owns && inBackup.has(label));
  return [...new Set([...foreign.map(({ label }) => `the user does not own ${spoken(label)}`), ...needed])].sort();
}

/** Tables that a backup does not hold: they stay as they are when it is restored in place. */
export function tablesOutside({ objects }: LiveObjects, inBackup: ReadonlySet<string>): readonly string[] {
  return objects
    .filter(({ label }) => label.startsWith('TABLE ') && !inBackup.has(label))
    .map(({ label }) => spoken(label).slice('table '.length))
    .sort();
}

/** An array's type is a part of the row's type, which is a part of the table; nothing is deeper than that. */
function topOf(key: string, whole: ReadonlyMap<string, string>): string {
  let top = key;
  for (let depth = 0; depth < 8; depth += 1) {
    const next = whole.get(top);
    if (next === undefined) return top;
    top = next;
  }
  return top;
}

/** `table public.documents`, `schema audit`. */
function spoken(label: string): string {
  const [, kind = '', schema = '', name = ''] = /^([A-Z ]+?) (-|\S+) (.*)$/s.exec(label) ?? [];
  return `${kind.toLowerCase()} ${schema === '-' ? name : `${schema}.${name}`}`;
}

const OURS = `n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname NOT LIKE '%\\_\\_bs\\_%'`;

/** Names as the archive's list writes them: no line breaks. */
const flat = (sql: string): string => `translate(${sql}, E'\\n\\r', '  ')`;

const OBJECTS = `
  SELECT 'pg_class/' || c.oid AS key, pg_has_role(c.relowner, 'USAGE') AS owns,
         ${flat(`CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
              WHEN 'f' THEN 'FOREIGN TABLE' WHEN 'c' THEN 'TYPE' ELSE 'TABLE' END || ' ' || n.nspname || ' ' || c.relname`)} AS label
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c') AND c.relpersistence <> 't' AND ${OURS}
  UNION ALL
  SELECT 'pg_proc/' || p.oid, pg_has_role(p.proowner, 'USAGE'),
         ${flat(`CASE p.prokind WHEN 'p' THEN 'PROCEDURE' WHEN 'a' THEN 'AGGREGATE' ELSE 'FUNCTION' END
           || ' ' || n.nspname || ' ' || p.proname || '(' || oidvectortypes(p.proargtypes) || ')'`)}
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE ${OURS}
  UNION ALL
  SELECT 'pg_type/' || t.oid, pg_has_role(t.typowner, 'USAGE'),
         ${flat(`CASE t.typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END || ' ' || n.nspname || ' ' || t.typname`)}
    FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
   WHERE t.typrelid = 0 AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = t.oid) AND ${OURS}
  UNION ALL
  SELECT 'pg_namespace/' || n.oid, pg_has_role(n.nspowner, 'USAGE'), ${flat(`'SCHEMA - ' || n.nspname`)}
    FROM pg_namespace n WHERE ${OURS}
  UNION ALL
  SELECT 'pg_extension/' || oid, pg_has_role(extowner, 'USAGE'), ${flat(`'EXTENSION - ' || extname`)} FROM pg_extension`;

/** Of several answers for one part the later one counts: whatever an extension made is the extension's. */
const PARTS = `
  SELECT 'pg_class/' || indexrelid AS key, 'pg_class/' || indrelid AS of FROM pg_index
  UNION ALL SELECT 'pg_class/' || oid, 'pg_class/' || pg_partition_root(oid) FROM pg_class WHERE relispartition
  UNION ALL SELECT 'pg_rewrite/' || oid, 'pg_class/' || ev_class FROM pg_rewrite
  UNION ALL SELECT 'pg_constraint/' || oid, CASE conrelid WHEN 0 THEN 'pg_type/' || contypid ELSE 'pg_class/' || conrelid END FROM pg_constraint
  UNION ALL SELECT 'pg_attrdef/' || oid, 'pg_class/' || adrelid FROM pg_attrdef
  UNION ALL SELECT 'pg_trigger/' || oid, 'pg_class/' || tgrelid FROM pg_trigger
  UNION ALL SELECT 'pg_policy/' || oid, 'pg_class/' || polrelid FROM pg_policy
  UNION ALL SELECT 'pg_type/' || oid, 'pg_class/' || typrelid FROM pg_type WHERE typrelid <> 0
  UNION ALL SELECT 'pg_type/' || typarray, 'pg_type/' || oid FROM pg_type WHERE typarray <> 0
  UNION ALL SELECT 'pg_class/' || objid, 'pg_class/' || refobjid FROM pg_depend
    WHERE deptype IN ('a', 'i') AND classid = 'pg_class'::regclass AND refclassid = 'pg_class'::regclass AND refobjsubid > 0
      AND objid IN (SELECT seqrelid FROM pg_sequence)
  UNION ALL SELECT classid::regclass || '/' || objid, 'pg_extension/' || refobjid FROM pg_depend WHERE deptype = 'e'`;

/** What the server made for itself has smaller numbers than these. */
const FIRST_OF_USERS = 16_384;

export async function liveObjects(client: Client): Promise<LiveObjects> {
  const asked = async <T extends object>(sql: string): Promise<readonly T[]> => (await client.query<T>(sql)).rows;
  await client.query(`SELECT set_config('search_path', '', false)`);
  return {
    objects: await asked<LiveObject>(OBJECTS),
    parts: await asked<{ key: string; of: string }>(PARTS),
    needs: await asked<{ key: string; on: string }>(
      `SELECT DISTINCT classid::regclass || '/' || objid AS key, refclassid::regclass || '/' || refobjid AS on
         FROM pg_depend WHERE deptype = 'n' AND objid >= ${FIRST_OF_USERS}`,
    ),
  };
}
