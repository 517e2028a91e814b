import type { Database } from '../kit/database.ts';
import type { Release } from './release.ts';

export interface Entity {
  readonly id: string;
  readonly title: string;
  readonly kind: string;
}

export async function entities(database: Database, { title }: Release, limit: number): Promise<readonly Entity[]> {
  return await database.query<Entity & Record<string, unknown>>(
    `SELECT id, ${title} AS title, kind FROM entities ORDER BY id LIMIT $1`,
    [limit],
  );
}

/** An entity that is known already keeps its number. */
export async function addEntity(
  database: Database,
  { title }: Release,
  entity: { readonly title: string; readonly kind: string },
): Promise<string> {
  const [row] = await database.query<{ id: string }>(
    `INSERT INTO entities (${title}, kind) VALUES ($1, $2) ON CONFLICT (${title}) DO UPDATE SET kind = excluded.kind RETURNING id`,
    [entity.title, entity.kind],
  );
  return row?.id ?? '';
}

export interface GraphFigures {
  readonly entities: number;
  readonly relations: number;
  /** Entities that nothing connects. */
  readonly loose: number;
}

export async function figuresOf(database: Database): Promise<GraphFigures> {
  const [row] = await database.query<{ [name in keyof GraphFigures]: number }>(
    `SELECT count(*)::int AS entities, (SELECT count(*)::int FROM relations) AS relations,
            count(*) FILTER (WHERE NOT EXISTS (SELECT FROM relations r WHERE e.id IN (r.source, r.target)))::int AS loose
     FROM entities e`,
  );
  return row ?? { entities: 0, relations: 0, loose: 0 };
}
