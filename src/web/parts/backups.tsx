import { mayAct } from '../derive.ts';
import { me, useResource } from '../live.ts';
import type { Drill, Items } from '../types.ts';
import { drillInWords, drillsAgainMs, proofsOf, type StoreProof } from '../upkeep.ts';
import { Ago, Badge, Loading, ProblemNote, Section } from './basics.tsx';
import { DeedButton } from './deed.tsx';

interface BackupsProps {
  readonly stack: string;
  readonly base: string;
  readonly stores: readonly { readonly name: string; readonly kind: string }[];
}

/** So many are shown; the service has them all. */
const MOST = 6;

/** Whether the backups of each data store were proven, and the button that proves one. A backup that nobody read is none. */
export function Backups({ stack, base, stores }: BackupsProps) {
  const { data, problem, loading, reload } = useResource<Items<Drill>>(
    `${base}/drills?limit=50`,
    (changed) => changed.stack === stack,
    { apartMs: 4_000, againAfter: ({ items }) => drillsAgainMs(items) },
  );
  const drills = data?.items ?? [];
  return (
    <Section
      title="Backups"
      aside={
        mayAct(me.value, stack) ? (
          <DeedButton
            deed={{
              label: 'Prove a backup',
              title: `Prove a backup of ${stack}`,
              path: `${base}/drills`,
              choice: { label: 'Data store', options: stores.map(({ name, kind }) => [name, `${name} (${kind})`]) },
              body: (_, store) => ({ store }),
              explain: (
                <p>
                  The newest backup is restored beside the live data, counted, and dropped again. What is live stays as
                  it is; the server of the store has the work.
                </p>
              ),
              onDone: reload,
            }}
          />
        ) : undefined
      }
    >
      {problem === undefined ? null : <ProblemNote problem={problem} retry={reload} />}
      {data === undefined && loading ? <Loading what="the drills" /> : null}
      {data === undefined ? null : (
        <ul class="health">
          {proofsOf(stores, drills).map((proof) => (
            <ProofLine key={proof.store} proof={proof} />
          ))}
        </ul>
      )}
      {drills.length === 0 ? null : (
        <>
          <h3>Drills</h3>
          <ul class="drills" aria-label="Drills, newest first">
            {drills.slice(0, MOST).map((drill) => (
              <DrillLine key={drill.id} drill={drill} />
            ))}
          </ul>
        </>
      )}
      <p class="unseen" role="status">
        {drills[0] === undefined ? '' : `The newest drill, of ${drills[0].store}: ${drills[0].state}.`}
      </p>
    </Section>
  );
}

function ProofLine({ proof: { store, kind, last, proven } }: { proof: StoreProof }) {
  return (
    <li>
      {last === undefined ? <Badge word="not proven" tone="unknown" /> : <Badge word={last.state} />}
      <span class="object">
        <strong>{store}</strong> <span class="soft">{kind}</span>
      </span>
      <span class="soft">
        {proven === undefined ? (
          <span class="unproven">no drill has proven a backup</span>
        ) : (
          <>
            last proven <Ago at={proven.startedAt} />
          </>
        )}
      </span>
    </li>
  );
}

function DrillLine({ drill }: { drill: Drill }) {
  const { store, backup, by, startedAt, state } = drill;
  const said = drillInWords(drill);
  return (
    <li>
      <Badge word={state} />
      <span class="object">
        {store}: {backup === 'latest' ? 'the newest' : backup}
      </span>
      <span class="soft">
        <Ago at={startedAt} /> by {by}
      </span>
      {said === undefined ? null : <span class={state === 'proven' ? 'line soft' : 'line bad'}>{said}</span>}
    </li>
  );
}
