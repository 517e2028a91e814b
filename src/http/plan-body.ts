import { z } from '@hono/zod-openapi';
import { SCOPES } from '../model/index.ts';
import { lines, targetText } from './answers.ts';

const name = z.string().regex(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/);

export const scope = z.union([
  z.strictObject({ kind: z.enum(SCOPES) }),
  z.strictObject({ kind: z.literal('workloads'), names: z.array(name).min(1).max(500) }),
]);

const scenario = z.enum(['A', 'B', 'C']);
const always = z.literal(true);

const data = z.strictObject({
  scenario: z.union([scenario, z.record(z.string().max(100), scenario)]).exactOptional(),
  restore: z.record(z.string().max(100), targetText).exactOptional(),
  restoreAll: targetText.exactOptional(),
  skipBackup: always.exactOptional(),
  acceptLoss: z.array(targetText).max(100).exactOptional(),
});

/** The flags of `backstay rollback`, as plans carry them. What is left out is not chosen. */
export const planOptions = z
  .strictObject({
    emergency: z.boolean().exactOptional(),
    skipValidation: z.boolean().exactOptional(),
    validateBefore: z.boolean().exactOptional(),
    exactReplicas: z.boolean().exactOptional(),
    allowClusterMismatch: z.boolean().exactOptional(),
    allowUnsigned: z.boolean().exactOptional(),
    takeFrom: z.array(z.string().min(1).max(128)).max(50).exactOptional(),
    deleteProtected: z.boolean().exactOptional(),
    hold: z.boolean().exactOptional(),
    allowUnknownImages: z.boolean().exactOptional(),
    severity: z.string().min(1).max(100).exactOptional(),
    breakGlass: always.exactOptional(),
    allowHeld: always.exactOptional(),
    data: data.exactOptional(),
    force: z
      .strictObject({
        pods: always.exactOptional(),
        finalizers: always.exactOptional(),
        replace: z.array(z.string().min(1).max(300)).max(500).exactOptional(),
      })
      .exactOptional(),
    reason: lines.exactOptional(),
    incident: z.string().min(1).max(500).exactOptional(),
  })
  .openapi('PlanOptions');
