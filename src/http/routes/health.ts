import { createRoute, z } from '@hono/zod-openapi';
import { Meter } from '../../service/metrics.ts';
import { VERSION } from '../../version.ts';
import { document, json, PROBLEMS } from '../answers.ts';
import { requireDeed } from '../authorize.ts';
import type { Routes } from '../context.ts';
import { documentOf } from '../document.ts';
import { exposition } from '../exposition.ts';

const text = (description: string) => ({ description, content: { 'text/plain': { schema: z.string() } } });

const livez = createRoute({
  method: 'get',
  path: '/livez',
  summary: 'whether the process answers',
  security: [],
  responses: { 200: text('It does.'), ...PROBLEMS },
});

const readyz = createRoute({
  method: 'get',
  path: '/readyz',
  summary: 'whether journal and records can be reached',
  security: [],
  responses: { 200: text('They can.'), ...PROBLEMS },
});

const metrics = createRoute({
  method: 'get',
  path: '/metrics',
  summary: 'figures for Prometheus, from the journal',
  responses: { 200: text('In the text format.'), ...PROBLEMS },
});

const description = createRoute({
  method: 'get',
  path: '/openapi.json',
  summary: 'this description',
  security: [],
  responses: { 200: json(document, 'OpenAPI 3.1.'), ...PROBLEMS },
});

/** For whoever starts, watches and generates; says nothing about stacks without a token, but to loopback. */
export const health: Routes = (app, deps) => {
  const { service, front } = deps;
  const meter = new Meter(service);
  app.openapi(livez, (c) => c.text('ok', 200));
  app.openapi(readyz, async (c) => {
    // Of no stack there are no runs: the question alone shows that it is answered.
    await Promise.all([service.journal.runs(''), service.records.list('cursor', { limit: 1 })]);
    return c.text('ready', 200);
  });
  app.openapi(metrics, async (c) => {
    if (!front.openMetrics) await requireDeed(c, deps, 'watch');
    const { type, text: body } = await exposition(await meter.measure(), VERSION);
    return c.text(body, 200, { 'Content-Type': type });
  });
  let made: object | undefined;
  // Takes a while, and anybody may ask.
  app.openapi(description, (c) => c.json({ ...(made ??= documentOf(app)) }, 200));
};
