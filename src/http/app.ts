import { OpenAPIHono } from '@hono/zod-openapi';
import { methodNotAllowed } from 'hono/method-not-allowed';
import { BackstayError, isBackstayError } from '../errors/index.ts';
import type { App, AppEnv, HttpDeps, Routes } from './context.ts';
import { authenticate } from './middleware/authenticate.ts';
import { limitBody } from './middleware/body.ts';
import { headers } from './middleware/headers.ts';
import { idempotency } from './middleware/idempotency.ts';
import { identify } from './middleware/identify.ts';
import { sameSite } from './middleware/origin.ts';
import { limitRate } from './middleware/rate.ts';
import { page } from './page.ts';
import { answerProblem, refuseMisfits } from './problem.ts';
import { alertmanager } from './routes/alertmanager.ts';
import { decisions } from './routes/decisions.ts';
import { drills } from './routes/drills.ts';
import { health } from './routes/health.ts';
import { notifications } from './routes/notifications.ts';
import { proposals } from './routes/proposals.ts';
import { approvals } from './routes/approvals.ts';
import { events } from './routes/events.ts';
import { reports } from './routes/reports.ts';
import { runs } from './routes/runs.ts';
import { undos } from './routes/undo.ts';
import { meRoutes } from './routes/me.ts';
import { plans } from './routes/plans.ts';
import { snapshots } from './routes/snapshots.ts';
import { statsRoutes } from './routes/stats.ts';
import { tokens } from './routes/tokens.ts';
import { stacks } from './routes/stacks.ts';

/** In the order of the document. */
const ROUTES: readonly Routes[] = [
  health,
  meRoutes,
  stacks,
  snapshots,
  drills,
  plans,
  proposals,
  alertmanager,
  notifications,
  runs,
  undos,
  events,
  approvals,
  reports,
  statsRoutes,
  decisions,
  tokens,
  page(),
];

/** The whole API, without a server: `app.request()` answers in tests as it does on a socket. */
export function createApp(deps: HttpDeps): App {
  const app = new OpenAPIHono<AppEnv>({ defaultHook: (result) => refuseMisfits(result) });
  app.onError((error, c) => {
    const answer = answerProblem(c, error);
    if (answer.status >= 500 && !isBackstayError(error)) tell(deps, error, c.get('requestId'));
    return answer;
  });
  app.notFound((c) => answerProblem(c, new BackstayError('ROUTE_UNKNOWN', `There is nothing at ${c.req.path}.`)));
  app.use(identify(deps), headers());
  app.use(
    methodNotAllowed({
      app,
      onMethodNotAllowed: (c, methods) => {
        const allow = methods.join(', ');
        c.header('Allow', allow);
        return answerProblem(c, new BackstayError('METHOD_UNKNOWN', `${c.req.method} is none of ${allow}.`));
      },
    }),
  );
  app.use(
    sameSite(deps),
    limitAddress(deps),
    authenticate(deps),
    limitRate(deps),
    ...limitBody(deps),
    idempotency(deps),
  );
  for (const routes of ROUTES) routes(app, deps);
  return app;
}

/** Before anything is proven: guessing tokens is limited as well. */
const limitAddress = (deps: HttpDeps) =>
  limitRate({ ...deps, limits: { ...deps.limits, perMinute: deps.limits.perMinute * 4 } });

/** What nobody foresaw is told to the one who runs the service alone. Errors name their place; messages may hold anything. */
function tell({ log }: HttpDeps, error: Error, requestId: string): void {
  const place = (error.stack ?? '').split('\n').filter((line) => line.trimStart().startsWith('at '));
  log({ level: 'error', event: 'defect', requestId, error: error.name, at: place.slice(0, 8).join('\n') });
}
