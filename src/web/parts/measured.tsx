import { figureOf } from '../derive.ts';
import { type ProbeSpan, type ProbeSums, probeSums } from '../run-fold.ts';
import type { CheckResult, ProbeVerdict } from '../types.ts';
import { spell } from '../words.ts';
import { Badge } from './basics.tsx';

interface ChecksProps {
  readonly before: readonly CheckResult[];
  readonly after: readonly CheckResult[];
  /** Nothing more is measured. */
  readonly isOver: boolean;
}

/** Each check before and after, side by side, with its figure as a bar where there is one. */
export function Checks({ before, after, isOver }: ChecksProps) {
  const names = [...new Set([...after, ...before].map(({ name }) => name))];
  if (names.length === 0) return <p class="empty">Nothing was measured yet: how the stack does is unknown.</p>;
  const [was, is] = [byName(before), byName(after)];
  return (
    <table class="checks">
      <thead>
        <tr>
          <th scope="col">Check</th>
          <th scope="col">Before</th>
          <th scope="col">After</th>
        </tr>
      </thead>
      <tbody>
        {names.map((name) => {
          const longest = Math.max(figureOf(was.get(name))?.ms ?? 0, figureOf(is.get(name))?.ms ?? 0);
          return (
            <tr key={name}>
              <th scope="row">
                {name}
                <span class="reason">{(is.get(name) ?? was.get(name))?.reason}</span>
              </th>
              <td>
                <Measured result={was.get(name)} longest={longest} isOver={isOver || after.length > 0} />
              </td>
              <td>
                <Measured result={is.get(name)} longest={longest} isOver={isOver} />
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

function byName(results: readonly CheckResult[]): ReadonlyMap<string, CheckResult> {
  return new Map(results.map((result) => [result.name, result]));
}

interface MeasuredProps {
  readonly result: CheckResult | undefined;
  readonly longest: number;
  readonly isOver: boolean;
}

/** The verdict, and how long it took beside the longest of the two. */
function Measured({ result, longest, isOver }: MeasuredProps) {
  if (result === undefined) return <span class="soft">{isOver ? 'not asked' : 'not yet'}</span>;
  const figure = figureOf(result);
  return (
    <>
      <Badge word={result.verdict} title={result.reason} />
      {figure === undefined ? null : (
        <span class="figure">
          <meter min={0} max={Math.max(1, longest)} value={figure.ms} aria-label={`${result.name}, ${figure.name}`} />
          <span class="number">{spell(figure.ms)}</span>
        </span>
      )}
    </>
  );
}

interface ProbesProps {
  readonly probes: ReadonlyMap<string, readonly ProbeSpan[]>;
  readonly fromAt: number;
  readonly toAt: number;
}

/** When users were served and when not, as it was measured. What nobody measured has a colour of its own, never green. */
export function Probes({ probes, fromAt, toAt }: ProbesProps) {
  if (probes.size === 0) return <p class="empty">No probe has measured anything: downtime is unknown.</p>;
  return (
    <ul class="probes">
      {[...probes].map(([name, found]) => {
        const sums = probeSums(found, fromAt, toAt);
        const last = found.at(-1);
        return (
          <li key={name}>
            <div class="line">
              <strong>{name}</strong>
              {last === undefined ? null : <Badge word={last.verdict} title={last.reason} />}
              <span class="soft">
                down {spell(sums.downMs)}
                {sums.unknownMs < 100 ? '' : `, unknown ${spell(sums.unknownMs)}`}
              </span>
            </div>
            <Strip said={stripInWords(name, sums)} sums={sums} fromAt={fromAt} toAt={toAt} />
          </li>
        );
      })}
    </ul>
  );
}

function stripInWords(name: string, { upMs, downMs, unknownMs }: ProbeSums): string {
  return `${name}: up ${spell(upMs)}, down ${spell(downMs)}, unknown ${spell(unknownMs)}`;
}

interface StripProps {
  /** The picture in words. */
  readonly said: string;
  readonly sums: ProbeSums;
  readonly fromAt: number;
  readonly toAt: number;
  /** For each verdict. @default its own */
  readonly words?: Readonly<Record<ProbeVerdict, string>>;
}

const PROBE_WORDS = { up: 'up', down: 'down', unknown: 'unknown' } as const;

/** What was found, over time. */
export function Strip({ said, sums, fromAt, toAt, words = PROBE_WORDS }: StripProps) {
  const width = Math.max(1, toAt - fromAt);
  return (
    <svg class="strip" viewBox="0 0 1000 14" preserveAspectRatio="none" role="img" aria-label={said}>
      {sums.spans.map(({ verdict, fromAt: from, toAt: until, reason }) => (
        <rect
          key={from}
          class={verdict}
          x={((from - fromAt) / width) * 1_000}
          width={Math.max(2, ((until - from) / width) * 1_000)}
          height={14}
        >
          <title>{`${words[verdict]} for ${spell(until - from)}: ${reason}`}</title>
        </rect>
      ))}
    </svg>
  );
}
