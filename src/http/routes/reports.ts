import { createRoute, z } from '@hono/zod-openapi';
import { accepts } from 'hono/accepts';
import { evidencePath } from '../../actions/evidence.ts';
import { renderReport } from '../../actions/report.ts';
import { BackstayError } from '../../errors/index.ts';
import { PROBLEMS } from '../answers.ts';
import type { Routes } from '../context.ts';
import { DOCUMENT_POLICY } from '../middleware/headers.ts';
import { requireRun, runParam } from '../run-of.ts';

const MARKDOWN = 'text/markdown';
const HTML = 'text/html';
const JSON_TYPE = 'application/json';

const facts = z.looseObject({ run: z.string(), stack: z.string(), outcome: z.string() }).openapi('RunReport');

const report = createRoute({
  method: 'get',
  path: '/v1/runs/{run}/report',
  summary: 'the report of a run, also of one that is not over',
  request: runParam,
  responses: {
    200: {
      description: 'By Accept; Markdown where it says nothing.',
      content: {
        [MARKDOWN]: { schema: z.string() },
        [HTML]: { schema: z.string() },
        [JSON_TYPE]: { schema: facts },
      },
    },
    ...PROBLEMS,
  },
});

const evidence = createRoute({
  method: 'get',
  path: '/v1/runs/{run}/evidence',
  summary: 'what the failing version left, as an archive',
  request: runParam,
  responses: {
    200: {
      description: 'The archive; `backstay evidence verify` checks it.',
      content: { 'application/gzip': { schema: z.string().openapi({ format: 'binary' }) } },
    },
    ...PROBLEMS,
  },
});

export const reports: Routes = (app, deps) => {
  const { service } = deps;

  app.openapi(report, async (c) => {
    const { run } = c.req.valid('param');
    await requireRun(c, deps, 'watch', run);
    const type = accepts(c, {
      header: 'Accept',
      supports: [MARKDOWN, HTML, JSON_TYPE],
      default: MARKDOWN,
    });
    const { markdown, html, report: written } = await renderReport(run, service);
    c.header('Vary', 'Accept');
    if (type === JSON_TYPE) {
      const document: z.infer<typeof facts> = { ...written };
      return c.json(document, 200);
    }
    if (type === HTML) c.header('Content-Security-Policy', DOCUMENT_POLICY);
    return c.body(type === HTML ? html : markdown, 200, { 'Content-Type': `${type}; charset=utf-8` });
  });

  app.openapi(evidence, async (c) => {
    const { run } = c.req.valid('param');
    await requireRun(c, deps, 'act', run);
    const bytes = await service.files.read(evidencePath(service.stateDir, run));
    if (bytes === undefined)
      throw new BackstayError('EVIDENCE_MISSING', `There is no evidence of run ${run} on ${service.by.host}.`);
    return c.body(new Uint8Array(bytes), 200, {
      'Content-Type': 'application/gzip',
      'Content-Disposition': `attachment; filename="${run}-evidence.tar.gz"`,
    });
  });
};
