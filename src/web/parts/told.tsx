import { useResource } from '../live.ts';
import type { Delivery, Items } from '../types.ts';
import { deliveriesAgainMs, deliveryInWords, noticeInWords, toldInShort } from '../upkeep.ts';
import { Ago, Badge, ProblemNote, Section } from './basics.tsx';

interface ToldProps {
  readonly of: 'run' | 'proposal';
  readonly id: string;
  /** Something may still be told that is not owed yet. */
  readonly isLive: boolean;
}

/** Who was told of it, and who could not be. Nothing where nobody is to be told. */
export function Told({ of, id, isLive }: ToldProps) {
  const { data, problem, reload } = useResource<Items<Delivery>>(
    `/v1/notifications?${of}=${encodeURIComponent(id)}&limit=200`,
    (changed) => changed[of] === id,
    { apartMs: 4_000, againAfter: ({ items }) => deliveriesAgainMs(items, isLive, Date.now()) },
  );
  const items = data?.items ?? [];
  if (items.length === 0 && problem === undefined) return null;
  return (
    <Section title="Told" aside={toldInShort(items)}>
      {problem === undefined ? null : <ProblemNote problem={problem} retry={reload} />}
      <ul class="health" aria-label="Who was told">
        {items.map((one) => (
          <li key={`${one.event} ${one.channel}`}>
            <Badge word={one.state} />
            <span class="object">
              <strong>{one.channel}</strong> {noticeInWords(one.notice)}
            </span>
            <span class="soft">
              <Ago at={one.settledAt ?? one.at} />
              {one.settledAt !== undefined || one.dueAt === undefined ? null : (
                <>
                  {' · again '}
                  <Ago at={one.dueAt} />
                </>
              )}
            </span>
            {deliveryInWords(one) === '' ? null : <span class="line soft">{deliveryInWords(one)}</span>}
          </li>
        ))}
      </ul>
    </Section>
  );
}
