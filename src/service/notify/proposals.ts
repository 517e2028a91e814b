import type { Proposal } from '../../model/index.ts';
import type { ServiceRecord } from '../../ports/index.ts';
import type { NotifyDeps } from './outbox.ts';
import { tellingOfProposal } from './telling.ts';
import { beginning, moveTo, placeOf, tell } from './told.ts';

/** Writes down who is to be told of proposals as they are opened and closed, until the signal fires. @throws as watchRuns */
export async function watchProposals(deps: NotifyDeps, signal: AbortSignal): Promise<void> {
  const { records } = deps;
  const since = await beginning(deps);
  // What is written while we look at what there is already is told as well.
  const changes = records.follow('proposal', signal)[Symbol.asyncIterator]();
  let next = changes.next();
  // What comes of it is seen below; here only nobody is to be surprised by it.
  next.catch(() => undefined);
  for (const record of await records.list('proposal')) await tellOf(record, since, deps, signal);
  for (let change = await next; change.done !== true; change = await next) {
    const { record } = change.value;
    next = changes.next();
    next.catch(() => undefined);
    if (record !== undefined) await tellOf(record, since, deps, signal);
  }
}

async function tellOf({ value }: ServiceRecord, since: string, deps: NotifyDeps, signal: AbortSignal): Promise<void> {
  const telling = tellingOfProposal(value as unknown as Proposal);
  if (telling === undefined || telling.at < since) return;
  const place = await placeOf(telling.subject, deps);
  if (place.told?.includes(telling.notice) === true) return;
  await tell(telling, deps, signal);
  await moveTo(telling.subject, { told: [telling.notice] }, deps);
}
