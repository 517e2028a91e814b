import { createRoute, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { Changes } from '../../service/changes.ts';
import type { RunFeeds } from '../../service/feeds.ts';
import { PROBLEMS, runId, stackName } from '../answers.ts';
import { mayWatch, requireDeed } from '../authorize.ts';
import type { AppEnv, Routes } from '../context.ts';
import { lifetimeOf } from '../lifetime.ts';
import { requireRun } from '../run-of.ts';
import { StreamPlaces } from '../places.ts';
import { frame, framesOf, type StreamOptions, streamed } from '../sse.ts';

const sequence = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER);

const stream = (description: string) => ({
  description,
  content: { 'text/event-stream': { schema: z.string() } },
});

const ofRun = createRoute({
  method: 'get',
  path: '/v1/runs/{run}/events',
  summary: 'the events of a run: those there were, and each new one until it is over',
  request: {
    params: z.object({ run: runId }),
    query: z.object({
      after: sequence.exactOptional().openapi({ description: 'Only those after the journal entry of this number.' }),
    }),
    headers: z.object({
      'last-event-id': sequence.exactOptional().openapi({ description: 'As `after`, and wins over it.' }),
    }),
  },
  responses: {
    200: stream(
      '`id` is the number of the journal entry, `event` the type and `data` the event (docs/events.md). `end` comes last.',
    ),
    ...PROBLEMS,
  },
});

const ofAll = createRoute({
  method: 'get',
  path: '/v1/events',
  summary: 'what changes: runs, proposals, stacks',
  request: { query: z.object({ stack: stackName.exactOptional() }) },
  responses: {
    200: stream('`changed` with `{stack, run?, proposal?}`; without a stack, anything may have changed.'),
    ...PROBLEMS,
  },
});

export const events: Routes = (app, deps) => {
  const { service } = deps;
  const changes = new Changes(service);
  const places = new StreamPlaces(deps.limits.streams);
  /** Takes a place: ask what may refuse before it. */
  const options = (c: Context<AppEnv>): StreamOptions => {
    const giveBack = places.take(c.get('principal').id);
    const done = new AbortController();
    const onOver = (): void => {
      giveBack();
      done.abort();
    };
    return { clock: service.clock, signal: lifetimeOf(c, deps, done.signal), onOver };
  };

  app.openapi(ofRun, async (c) => {
    const { run } = c.req.valid('param');
    await requireRun(c, deps, 'watch', run);
    const after = c.req.valid('header')['last-event-id'] ?? c.req.valid('query').after ?? 0;
    return streamed((signal) => runFrames(service.feeds, { run, after, signal }), options(c));
  });

  app.openapi(ofAll, async (c) => {
    const { stack } = c.req.valid('query');
    if (stack !== undefined) await requireDeed(c, deps, 'watch', stack);
    const isWanted = (of: string): boolean => (stack === undefined ? mayWatch(c, of) : of === stack);
    return streamed((signal) => changeFrames(changes, isWanted, signal), options(c));
  });
};

interface Watching {
  readonly run: string;
  readonly after: number;
  readonly signal: AbortSignal;
}

async function* runFrames(
  feeds: RunFeeds,
  { run, after, signal }: Watching,
): AsyncGenerator<Uint8Array, void, undefined> {
  let last = after;
  for await (const round of feeds.rounds(run, after, signal)) {
    last += round.length;
    const frames = framesOf(round);
    if (frames !== undefined) yield frames;
  }
  // Ended by us, it is not over: whoever asks again goes on from the last one.
  if (!signal.aborted) yield frame('end', { run, sequence: last });
}

async function* changeFrames(
  changes: Changes,
  isWanted: (stack: string) => boolean,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const round of changes.follow(signal))
    for (const changed of round)
      if (changed.stack === undefined || isWanted(changed.stack)) yield frame('changed', changed);
}
