import type { Executors } from '../executor.ts';
import { apply } from './apply.ts';
import { checks } from './checks.ts';
import { confirmContext } from './confirm-context.ts';
import { evidence } from './evidence.ts';
import { hook } from './hook.ts';
import { lease } from './lease.ts';
import { notYet } from './not-yet.ts';
import { proveEqual } from './prove-equal.ts';
import { prune } from './prune.ts';
import { recordAfter } from './record-after.ts';
import { returnBefore } from './return-before.ts';
import { pauseRollouts, resumeRollouts } from './rollouts.ts';
import { snapshotBefore } from './snapshot-before.ts';

/** What each kind of step does. */
export const EXECUTORS: Executors = {
  lease,
  'confirm-context': confirmContext,
  hook,
  'snapshot-before': snapshotBefore,
  'pause-rollouts': pauseRollouts,
  apply,
  prune,
  'prove-equal': proveEqual,
  'resume-rollouts': resumeRollouts,
  checks,
  'record-after': recordAfter,
  'return-before': returnBefore,
  evidence,
  'suspend-autoscalers': notYet,
  'resume-autoscalers': notYet,
  'suspend-sync': notYet,
  'resume-sync': notYet,
  'release-hold': notYet,
  'force-pods': notYet,
  'force-finalizers': notYet,
};
