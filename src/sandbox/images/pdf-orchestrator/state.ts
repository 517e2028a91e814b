import type { Database } from '../kit/database.ts';

export interface IngestState {
  readonly paused: boolean;
  readonly reason: string | null;
  /** ISO 8601 time of the last change. */
  readonly since: string;
}

interface Row {
  readonly paused: boolean;
  readonly reason: string | null;
  readonly changed_at: Date;
}

const COLUMNS = 'paused, reason, changed_at';

/** Whether ingest is paused. It stands in the database, so that it outlives this process and holds for all its replicas. */
export async function readState(database: Database): Promise<IngestState> {
  const [row] = await database.query<Row>(`SELECT ${COLUMNS} FROM orchestration_state`);
  return row === undefined ? { paused: false, reason: null, since: new Date(0).toISOString() } : stateOf(row);
}

/** Pausing what is paused changes nothing, not even the reason: whoever paused first is the one to ask. */
export async function setPaused(database: Database, paused: boolean, reason: string | null): Promise<IngestState> {
  await database.query(
    `INSERT INTO orchestration_state AS s (paused, reason) VALUES ($1, $2)
     ON CONFLICT (only_row) DO UPDATE SET paused = excluded.paused, reason = excluded.reason, changed_at = now()
     WHERE s.paused IS DISTINCT FROM excluded.paused`,
    [paused, paused ? reason : null],
  );
  return await readState(database);
}

function stateOf(row: Row): IngestState {
  return { paused: row.paused, reason: row.reason, since: row.changed_at.toISOString() };
}
