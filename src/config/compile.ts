import { dirname, join, resolve } from 'node:path';
import { type CheckSetting, type HookSetting, KEY_FILES, type KeySource, type Stack } from '../model/index.ts';
import { toApprovals } from './approvals-schema.ts';
import type { RawCheck } from './checks-schema.ts';
import type { Environment } from './environment.ts';
import { SIZE } from './evidence-schema.ts';
import { isOn, milliseconds } from './fields.ts';
import { toHold } from './hold-schema.ts';
import type { RawHook } from './hooks-schema.ts';
import { toMaintenance } from './maintenance-schema.ts';
import { toNotifications } from './notifications-schema.ts';
import { expandPath } from './paths.ts';
import type { RawSettings } from './schema.ts';
import { toPattern } from './pattern.ts';
import { toSchedules } from './schedules-schema.ts';
import { pointersOf } from './stores/neo4j.ts';
import { toStores } from './stores-schema.ts';
import { toObservation } from './observe-schema.ts';
import { toTriggers } from './triggers-schema.ts';

export interface Surroundings {
  readonly name: string;
  readonly file: string;
  readonly projectDir: string;
  readonly environment: Environment;
  readonly keyFolder: string;
  readonly publicKeys: { readonly recipients: readonly string[]; readonly trusted: Stack['signing']['trusted'] };
  /** `backend.url` of Pulumi.yaml and `secretsprovider` of the stack file, where they are given. */
  readonly pulumi: { readonly backend?: string; readonly secretsProvider?: string };
}

/** Valid settings → the Stack that the rest of the program works with: units converted, paths absolute, defaults filled. */
export function compileStack(raw: RawSettings, around: Surroundings): Stack {
  const inProject = (path: string): string => expandPath(path, around.projectDir, around.environment);
  const source = (given: KeySource | undefined, file: string): KeySource => {
    if (given === undefined) return { file: join(around.keyFolder, file) };
    return 'file' in given ? { file: inProject(given.file) } : given;
  };
  const { kubeconfig, leaseDuration, ...cluster } = raw.cluster;
  const stores = toStores(raw.stores, { path: inProject, source: (given) => source(given, '') });
  return {
    name: around.name,
    file: around.file,
    cluster: {
      ...cluster,
      leaseDurationMs: milliseconds(leaseDuration),
      ...(kubeconfig === undefined ? {} : { kubeconfig: inProject(kubeconfig) }),
    },
    namespaces: typeof raw.namespaces === 'string' ? [raw.namespaces] : raw.namespaces,
    capture: { exclude: raw.capture.exclude.map(toPattern), include: raw.capture.include.map(toPattern) },
    roles: { workers: raw.roles.workers.map(toPattern), data: raw.roles.data.map(toPattern) },
    foreign: [...raw.foreign, ...pointersOf(stores)],
    flags: raw.flags,
    secrets: {
      recipients: raw.secrets.recipients ?? around.publicKeys.recipients,
      identity: source(raw.secrets.identity, KEY_FILES.identity),
      comparisonKey: source(raw.secrets.comparisonKey, KEY_FILES.comparisonKey),
    },
    signing: {
      trusted: raw.signing.trusted ?? around.publicKeys.trusted,
      key: source(raw.signing.key, KEY_FILES.signingKey),
    },
    engine: {
      provider: raw.engine.provider,
      backend: backendUrl(raw.engine.backend ?? around.pulumi.backend, around, inProject),
      secretsProvider: raw.engine.secretsProvider ?? around.pulumi.secretsProvider ?? 'passphrase',
      passphrase: source(raw.engine.passphrase, KEY_FILES.passphrase),
      savedPlan: isOn(raw.engine.savedPlan ?? raw.engine.provider === 'official'),
    },
    hooks: raw.hooks.map((hook) => toHook(hook, inProject, around.environment.issueApi)),
    checks: raw.checks.map((check) => toCheck(check, dirname(around.file))),
    probes: raw.probes.map(({ interval, timeout, ...probe }) => ({
      ...probe,
      intervalMs: milliseconds(interval),
      timeoutMs: milliseconds(timeout),
    })),
    context: raw.context,
    stores,
    data: {
      backupMaxAgeMs: milliseconds(raw.data.backupMaxAge),
      ...(raw.data.scenario === undefined ? {} : { scenario: raw.data.scenario }),
    },
    evidence: {
      limitMs: milliseconds(raw.evidence.limit),
      emergencyLimitMs: milliseconds(raw.evidence.emergencyLimit),
      limitBytes: bytes(raw.evidence.size),
      logLines: raw.evidence.logLines,
    },
    ...(raw.metrics === undefined ? {} : { metrics: toMetrics(raw.metrics) }),
    doctor: raw.doctor,
    order: raw.order,
    readyTimeoutMs: milliseconds(raw.readyTimeout),
    onInvalid: raw.onInvalid,
    hold: toHold(raw.hold),
    ...(raw.maintenance === undefined ? {} : { maintenance: toMaintenance(raw.maintenance) }),
    retention: {
      undoMs: milliseconds(raw.retention.undo),
      snapshotsMs: milliseconds(raw.retention.snapshots),
      keep: raw.retention.keep,
    },
    ...(raw.triggers === undefined ? {} : { triggers: toTriggers(raw.triggers, raw.metrics?.prometheus) }),
    ...(raw.observe === undefined ? {} : { observe: toObservation(raw.observe, raw.metrics?.prometheus) }),
    ...(raw.schedules === undefined ? {} : { schedules: toSchedules(raw.schedules) }),
    ...(raw.notifications === undefined
      ? {}
      : {
          notifications: toNotifications(raw.notifications, {
            place: (given) => source(given, ''),
            issueApi: around.environment.issueApi,
          }),
        }),
    approvals: toApprovals(raw),
    requireReason: isOn(raw.requireReason),
  };
}

function bytes(text: string): number {
  const [, amount, unit] = SIZE.exec(text) ?? [];
  return Number(amount) * ({ KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 }[unit ?? 'KiB'] ?? 1);
}

function toMetrics({ window, step, ...rest }: NonNullable<RawSettings['metrics']>): NonNullable<Stack['metrics']> {
  return { ...rest, windowMs: milliseconds(window), stepMs: milliseconds(step) };
}

function toHook(
  { timeout, action, reverse, ...hook }: RawHook,
  inProject: (path: string) => string,
  issueApi: string,
): HookSetting {
  const settle = (given: RawHook['action']): HookSetting['action'] => {
    const place = (source: KeySource): KeySource => ('file' in source ? { file: inProject(source.file) } : source);
    if (given.kind === 'announce') return { ...given, webhook: place(given.webhook) };
    if (given.kind === 'ticket') return { ...given, api: given.api ?? issueApi, token: place(given.token) };
    return given;
  };
  return {
    ...hook,
    timeoutMs: milliseconds(timeout),
    action: settle(action),
    ...(reverse === undefined ? {} : { reverse: settle(reverse) }),
  };
}

function toCheck({ timeout, ...check }: RawCheck, folder: string): CheckSetting {
  const timeoutMs = milliseconds(timeout);
  if (check.kind === 'performance') {
    const { average, p95, max, ...rest } = check;
    return { ...rest, timeoutMs, averageMs: milliseconds(average), p95Ms: milliseconds(p95), maxMs: milliseconds(max) };
  }
  if (check.kind !== 'canary') return { ...check, timeoutMs };
  const documents = check.documents.map(({ file, recorded }) => ({
    file: resolve(folder, file),
    recorded: resolve(folder, recorded),
  }));
  return { ...check, timeoutMs, documents };
}

function backendUrl(given: string | undefined, around: Surroundings, inProject: (path: string) => string): string {
  if (given === undefined) return `file://${join(around.environment.stateDir, 'pulumi')}`;
  return given.startsWith('file://') ? `file://${inProject(given.slice('file://'.length))}` : given;
}
