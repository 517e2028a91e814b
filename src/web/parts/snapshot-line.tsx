import { EDGE, kindOf, placed, WIDTH } from '../places.ts';
import type { SnapshotRow } from '../types.ts';
import { moment } from '../words.ts';
import { to } from '../router.ts';
import { Ago, Badge, Id } from './basics.tsx';

const KIND_WORDS = { good: 'known good', held: 'held', fail: 'checks failed', unknown: 'not proven' } as const;

/** When which snapshot was taken. The shape says what is known of it: a disc is known good, a ring is not proven. */
export function SnapshotLine({ rows }: { rows: readonly SnapshotRow[] }) {
  const points = placed(rows);
  const labelled = points.filter(({ row }) => row.labels.length > 0);
  return (
    <svg class="snapshot-line" viewBox={`0 0 ${WIDTH} 64`} role="img" aria-label={lineInWords(rows)}>
      <line x1={EDGE} x2={WIDTH - EDGE} y1={40} y2={40} />
      {points.map(({ x, row }) => (
        <g key={`${row.id} ${row.capturedAt}`} class={kindOf(row)} transform={`translate(${x} 40)`}>
          <title>{`${row.shortId} ${row.labels.join(', ')} ${KIND_WORDS[kindOf(row)]}, ${moment(row.capturedAt)}`}</title>
          <circle r={9} />
          {kindOf(row) === 'held' || kindOf(row) === 'fail' ? <path d="M-4-4 4 4M4-4-4 4" /> : null}
        </g>
      ))}
      {labelled
        .filter(({ x }, i) => x - (labelled[i - 1]?.x ?? -200) > 110)
        .map(({ x, row }) => (
          <text key={row.id} x={x} y={20} text-anchor={x < 80 ? 'start' : x > WIDTH - 80 ? 'end' : 'middle'}>
            {row.labels[0]}
          </text>
        ))}
    </svg>
  );
}

function lineInWords(rows: readonly SnapshotRow[]): string {
  const good = rows.filter(({ knownGood }) => knownGood).length;
  return `${rows.length} snapshots over time, ${good} of them known good; the table below lists them`;
}

export function SnapshotTable({ stack, rows }: { stack: string; rows: readonly SnapshotRow[] }) {
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">Snapshot</th>
          <th scope="col">Labels</th>
          <th scope="col">What is known</th>
          <th scope="col">Taken</th>
          <th scope="col">
            <span class="unseen">What can be done</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={`${row.id} ${row.capturedAt}`}>
            <th scope="row">
              <Id id={row.id} />
            </th>
            <td>{row.labels.join(', ') || <span class="soft">none</span>}</td>
            <td>
              <Known row={row} />
            </td>
            <td>
              <Ago at={row.capturedAt} /> <span class="soft">{row.reason}</span>
            </td>
            <td class="act">
              {row.removed === undefined ? (
                <a href={to.newPlan(stack, row.labels[0] ?? row.shortId)}>
                  Plan<span class="unseen"> a rollback to {row.labels[0] ?? row.shortId}</span>
                </a>
              ) : (
                <span class="soft">removed</span>
              )}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Known({ row }: { row: SnapshotRow }) {
  const kind = kindOf(row);
  const tone = { good: 'good', held: 'warn', fail: 'bad', unknown: 'unknown' } as const;
  const why = row.held?.reason;
  return <Badge word={KIND_WORDS[kind]} tone={tone[kind]} {...(why === undefined ? {} : { title: why })} />;
}
