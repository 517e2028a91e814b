import type { Json, Proposal } from '../../model/index.ts';
import type { ServiceRecord } from '../../ports/index.ts';
import type { NotifyDeps } from './outbox.ts';
import { tellingOfProposal, type ToldOfProposal } from './telling.ts';
import { beginning, PLACES, tell } from './told.ts';

/** Writes down who is to be told of proposals as they are opened and closed, until the signal fires. @throws as watchRuns */
export async function watchProposals(deps: NotifyDeps, signal: AbortSignal): Promise<void> {
  const { records } = deps;
  await beginning(deps);
  // What is written while we look at what there is already is told as well.
  const changes = records.follow('proposal', signal)[Symbol.asyncIterator]();
  let next = changes.next();
  // What comes of it is seen below; here only nobody is to be surprised by it.
  next.catch(() => undefined);
  for (const record of await records.list('proposal')) await tellOf(record, deps, signal);
  for (let change = await next; change.done !== true; change = await next) {
    const { record } = change.value;
    next = changes.next();
    next.catch(() => undefined);
    if (record !== undefined) await tellOf(record, deps, signal);
  }
}

/** How far any service came with one proposal. */
interface ProposalPlace {
  /** Of its record: another service may be further than we are. */
  readonly version: number;
  readonly told: readonly ToldOfProposal[];
}

async function tellOf({ key, version, value }: ServiceRecord, deps: NotifyDeps, signal: AbortSignal): Promise<void> {
  const { records } = deps;
  for (;;) {
    const cursor = await records.get('cursor', PLACES + key);
    const place = (cursor?.value ?? { version: 0, told: [] }) as unknown as ProposalPlace;
    if (version <= place.version) return;
    const telling = tellingOfProposal(value as unknown as Proposal, place.told);
    if (telling === undefined || telling.at < (await beginning(deps)).since) return;
    await tell(telling, deps, signal);
    const told = [...place.told, { notice: telling.notice, at: telling.at }];
    const next: ProposalPlace = { version, told };
    if ((await records.put('cursor', PLACES + key, cursor?.version ?? 0, next as unknown as Json)) !== undefined)
      return;
  }
}
