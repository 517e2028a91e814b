import { z } from 'zod';
import { accept, duration, httpTarget, scopes, text, textList } from './fields.ts';

const common = {
  name: text.describe('Unique among the checks.'),
  when: z
    .array(z.enum(['capture', 'before', 'after']), { error: 'a list of capture, before and after' })
    .min(1, { error: 'at least one of capture, before and after' })
    .default(['capture', 'after'])
    .describe('capture: decides whether a snapshot is known good. before, after: asked around a run.'),
  scopes: scopes.exactOptional(),
  onlyIf: z
    .strictObject({ flag: text, is: text }, { error: '{flag: NAME, is: VALUE}' })
    .exactOptional()
    .describe('Asked only while a flag has this value.'),
  timeout: duration.default('30s').describe('For the whole check.'),
};

export const check = z.discriminatedUnion(
  'kind',
  [
    z.strictObject({ ...common, kind: z.literal('http'), target: httpTarget, accept: accept.default([200]) }),
    z.strictObject({
      ...common,
      kind: z.literal('performance'),
      target: httpTarget,
      accept: accept.default([200]),
      count: z.int().min(1).max(100_000).default(10).describe('Requests.'),
      rate: z.number().gt(0).max(10_000).default(10).describe('Requests a second, open loop.'),
      average: duration.default('500ms'),
      p95: duration.default('1s'),
      max: duration.default('2s'),
    }),
    z.strictObject({
      ...common,
      kind: z.literal('rollout'),
      workloads: textList.default([]).describe('By name. Empty: every workload in scope.'),
    }),
    z.strictObject({
      ...common,
      kind: z.literal('canary'),
      target: httpTarget,
      documents: z
        .array(
          z.strictObject({
            file: text.describe('Sent as the body. Path relative to the stack file.'),
            recorded: text.describe('The recorded answer to compare with. Path relative to the stack file.'),
          }),
          { error: 'a list of {file, recorded}' },
        )
        .min(1, { error: 'at least one document' }),
      contentType: text.default('application/pdf'),
      backend: text.exactOptional().describe("Which backend must have answered (the answer's `backend` field)."),
      minSimilarity: z.number().min(0).max(1).default(0.9),
    }),
  ],
  { error: 'a check with kind http, performance, rollout or canary' },
);

export type RawCheck = z.output<typeof check>;
