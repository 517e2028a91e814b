import { useNow } from '../live.ts';
import type { Finding, Observed } from '../observation.ts';
import { probeSums, type ProbeSums } from '../run-fold.ts';
import { moment, spell } from '../words.ts';
import { Ago, Badge, Note, Section } from './basics.tsx';
import { Strip } from './measured.tsx';

const WORDS = { up: 'passed', down: 'failed', unknown: 'unknown' } as const;
const AS_PROBE = { pass: 'up', fail: 'down', unknown: 'unknown' } as const;

/** How the stack did in the time after the run: what was watched, what was found, until when. */
export function Watched({ observation }: { observation: Observed }) {
  const { startedAt, untilAt, subjects, ended } = observation;
  const now = useNow(ended === undefined ? 5_000 : 60_000);
  const toAt = ended?.at ?? Math.min(now, untilAt);
  return (
    <Section
      title="Watched afterwards"
      aside={
        <>
          <Badge word={ended?.outcome ?? 'watching'} />{' '}
          {ended === undefined ? (
            <>
              until <Ago at={new Date(untilAt).toISOString()} />
            </>
          ) : (
            <Ago at={new Date(ended.at).toISOString()} />
          )}
        </>
      }
      wide
    >
      {ended === undefined || ended.outcome === 'quiet' ? null : (
        <Note tone={ended.outcome === 'disturbed' ? 'bad' : 'warn'}>
          <p>{ended.reason}</p>
        </Note>
      )}
      <ul class="probes" aria-label="What is watched after the run">
        {[...subjects].map(([name, findings]) => (
          <Subject key={name} name={name} findings={findings} fromAt={startedAt} toAt={toAt} />
        ))}
      </ul>
    </Section>
  );
}

interface SubjectProps {
  readonly name: string;
  readonly findings: readonly Finding[];
  readonly fromAt: number;
  readonly toAt: number;
}

function Subject({ name, findings, fromAt, toAt }: SubjectProps) {
  const last = findings.at(-1);
  const spans = findings.map((one) => ({ ...one, verdict: AS_PROBE[one.verdict] }));
  const sums = probeSums(spans, fromAt, toAt);
  const failed = findings.findLast(({ verdict }) => verdict === 'fail');
  return (
    <li>
      <div class="line">
        <Badge word={last?.verdict ?? 'unknown'} />
        <strong>{name}</strong>
        <span class="soft">{last?.reason ?? 'not measured yet'}</span>
      </div>
      {failed === undefined || failed === last ? null : (
        <p class="bad">
          Failed at {moment(new Date(failed.fromAt).toISOString())}: {failed.reason}
        </p>
      )}
      <Strip said={subjectInWords(name, sums)} sums={sums} fromAt={fromAt} toAt={toAt} words={WORDS} />
    </li>
  );
}

function subjectInWords(name: string, { upMs, downMs, unknownMs }: ProbeSums): string {
  return `${name}: passed for ${spell(upMs)}, failed for ${spell(downMs)}, unknown for ${spell(unknownMs)}`;
}
