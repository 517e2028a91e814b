import type { Executors } from '../executor.ts';
import { apply } from './apply.ts';
import { checks } from './checks.ts';
import { confirmContext } from './confirm-context.ts';
import { evidence } from './evidence.ts';
import { dbDropBeside, dbRestore, dbSwap, dbUnswap } from './databases.ts';
import { forceFinalizers } from './force-finalizers.ts';
import { forcePods } from './force-pods.ts';
import { hook } from './hook.ts';
import { dbRestoreInPlace } from './in-place.ts';
import { dbKeepNew } from './keep-new.ts';
import { lease } from './lease.ts';
import { proveEqual } from './prove-equal.ts';
import { dbBackup, migrate, migrateBack, migrateRehearse } from './migrations.ts';
import { maintenanceOff, maintenanceOn } from './maintenance.ts';
import { prune } from './prune.ts';
import { quiesceWriters, resumeWriters } from './quiesce.ts';
import { recordAfter } from './record-after.ts';
import { releaseHold } from './release-hold.ts';
import { returnBefore } from './return-before.ts';
import { pauseRollouts, resumeRollouts } from './rollouts.ts';
import { snapshotBefore } from './snapshot-before.ts';
import { resumeAutoscalers, resumeSync, suspendAutoscalers, suspendSync } from './suspensions.ts';

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
  'db-restore': dbRestore,
  'db-drop-beside': dbDropBeside,
  'db-keep-new': dbKeepNew,
  'db-restore-in-place': dbRestoreInPlace,
  'db-swap': dbSwap,
  'db-unswap': dbUnswap,
  'db-backup': dbBackup,
  'migrate-rehearse': migrateRehearse,
  migrate,
  'migrate-back': migrateBack,
  'return-before': returnBefore,
  evidence,
  'suspend-autoscalers': suspendAutoscalers,
  'resume-autoscalers': resumeAutoscalers,
  'suspend-sync': suspendSync,
  'resume-sync': resumeSync,
  'quiesce-writers': quiesceWriters,
  'resume-writers': resumeWriters,
  'maintenance-on': maintenanceOn,
  'maintenance-off': maintenanceOff,
  'release-hold': releaseHold,
  'force-pods': forcePods,
  'force-finalizers': forceFinalizers,
};
