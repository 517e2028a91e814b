import { z } from 'zod';
import { approvers, requireSeverity, severities } from './approvals-schema.ts';
import { check } from './checks-schema.ts';
import { data } from './data-schema.ts';
import { doctor } from './doctor-schema.ts';
import { evidence, metrics } from './evidence-schema.ts';
import { duration, flag, httpTarget, keySource, leaseDuration, namespace, patterns, text, textList } from './fields.ts';
import { hold } from './hold-schema.ts';
import { hook } from './hooks-schema.ts';
import { maintenance } from './maintenance-schema.ts';
import { notifications } from './notifications-schema.ts';
import { probe } from './probes-schema.ts';
import { onInvalid, retention } from './retention-schema.ts';
import { schedules } from './schedules-schema.ts';
import { stores } from './stores-schema.ts';
import { observe } from './observe-schema.ts';
import { triggers } from './triggers-schema.ts';

/** Every Backstay setting of a stack file stands under `config:` as `backstay:<key>`, beside Pulumi's own. */
export const PREFIX = 'backstay:';

const where = { namespace: namespace.exactOptional() };

const flagSetting = z.union(
  [
    z.strictObject({ name: text, source: z.strictObject({ configMap: text, key: text, ...where }) }),
    z.strictObject({
      name: text,
      source: z.strictObject({ workload: text, container: text.exactOptional(), env: text, ...where }),
    }),
  ],
  { error: '{name, source: {configMap, key}} or {name, source: {workload, env}}' },
);

const recipient = z
  .string({ error: 'an age recipient (age1…)' })
  .regex(/^age1[a-z0-9]{20,}$/, { error: 'an age recipient (age1…)' })
  .meta({ private: true });

const trustedKey = z.strictObject(
  {
    name: text,
    publicKey: z
      .string({ error: 'an Ed25519 public key (43 characters of base64url)' })
      .regex(/^[A-Za-z0-9_-]{43}$/, { error: 'an Ed25519 public key (43 characters of base64url)' })
      .meta({ private: true }),
  },
  { error: '{name, publicKey}' },
);

/**
 * The settings as they stand in the file, without their prefix. The one source of validation, defaults and the JSON
 * Schema for editors; compile.ts turns the result into a Stack.
 */
export const settingsSchema = z.strictObject({
  target: text
    .exactOptional()
    .describe('What plain `pulumi up` goes to: a snapshot id, a label, known-good or previous.'),
  cluster: z
    .strictObject(
      {
        context: text.exactOptional().describe('Context of the kubeconfig. Default: its current one.'),
        kubeconfig: text.exactOptional().describe('Path. Default: $KUBECONFIG, then ~/.kube/config.'),
        uid: text.exactOptional().describe('UID of the kube-system namespace; every other cluster is then refused.'),
        leaseNamespace: text
          .default('default')
          .describe('Namespace of the Lease that keeps two runs apart. It must exist before the stack does.'),
        leaseDuration: leaseDuration
          .default('30s')
          .describe('A run that does not renew its Lease for so long is taken for dead. Whole seconds, 1s to 10m.'),
      },
      { error: '{context, kubeconfig, uid, leaseNamespace, leaseDuration}' },
    )
    .prefault({}),
  namespaces: z
    .union([namespace, z.array(namespace).min(1, { error: 'at least one namespace' })], {
      error: 'a namespace or a list of them',
    })
    .describe('The first is the default for names without one.'),
  capture: z
    .strictObject(
      {
        exclude: patterns.default([]).describe('Left out of every snapshot, beside the built-in exclusions.'),
        include: patterns.default([]).describe('Cluster-scoped objects that belong to the stack.'),
      },
      { error: '{exclude, include}' },
    )
    .prefault({}),
  roles: z
    .strictObject(
      {
        workers: patterns.default([]),
        data: patterns.default([]).describe('Data stores: touched only by scope `database`.'),
      },
      { error: '{workers, data}' },
    )
    .prefault({}),
  foreign: z
    .array(
      z.strictObject(
        { kind: text, name: text.exactOptional(), path: text.describe('Such as spec.replicas.') },
        { error: '{kind, name?, path}' },
      ),
      { error: 'a list of {kind, name?, path}' },
    )
    .default([])
    .describe('Fields that another controller owns and that stay as they are.'),
  flags: z.array(flagSetting, { error: 'a list of flags' }).default([]),
  keys: z
    .strictObject({ directory: text }, { error: '{directory: PATH}' })
    .exactOptional()
    .describe('Where the key files are. Default: $XDG_CONFIG_HOME/backstay/keys/STACK.'),
  secrets: z
    .strictObject(
      {
        recipients: z.array(recipient).min(1, { error: 'at least one age recipient' }).exactOptional(),
        identity: keySource.exactOptional(),
        comparisonKey: keySource.exactOptional(),
      },
      { error: '{recipients, identity, comparisonKey}' },
    )
    .default({}),
  signing: z
    .strictObject(
      {
        trusted: z.array(trustedKey, { error: 'a list of {name, publicKey}' }).exactOptional(),
        key: keySource.exactOptional(),
      },
      { error: '{trusted, key}' },
    )
    .default({}),
  engine: z
    .strictObject(
      {
        provider: z.enum(['backstay', 'official']).default('backstay'),
        backend: text
          .exactOptional()
          .describe('Pulumi backend URL. Default: that of Pulumi.yaml, else a folder of our own.'),
        secretsProvider: text.exactOptional().describe("Default: the file's own `secretsprovider`, else passphrase."),
        passphrase: keySource.exactOptional(),
        savedPlan: flag
          .exactOptional()
          .describe(
            'Let Pulumi foresee each update, and refuse to do anything else. Default: with the official plugin.',
          ),
      },
      { error: '{provider, backend, secretsProvider, passphrase, savedPlan}' },
    )
    .prefault({}),
  hooks: z.array(hook, { error: 'a list of hooks' }).default([]),
  checks: z.array(check, { error: 'a list of checks' }).default([]),
  probes: z
    .array(probe, { error: 'a list of probes' })
    .default([])
    .describe('User-facing routes that are asked through the whole of a run: its downtime is measured by them.'),
  context: z
    .strictObject(
      {
        alertmanager: httpTarget.exactOptional(),
        anyOf: textList.default([]).describe('Alerts, of which one must be firing.'),
        dependencies: textList.default([]).describe('Checks by name that must pass before a run.'),
        when: z
          .strictObject({ flag: text, from: text, to: text }, { error: '{flag, from, to}' })
          .exactOptional()
          .describe('Ask only when the plan takes this flag from one value to the other. Default: always.'),
      },
      { error: '{alertmanager, anyOf, dependencies, when}' },
    )
    .prefault({}),
  stores,
  data,
  evidence,
  metrics: metrics.exactOptional(),
  doctor,
  order: textList
    .default([])
    .describe(
      'Workloads by name, dependencies first: of those that change, each is well before the next one is touched.',
    ),
  onInvalid,
  retention,
  hold,
  maintenance: maintenance.exactOptional(),
  triggers: triggers.exactOptional(),
  observe: observe.exactOptional(),
  schedules: schedules.exactOptional(),
  notifications: notifications.exactOptional(),
  readyTimeout: duration.default('5m').describe('Limit for a workload to become ready.'),
  approvers,
  severities,
  requireSeverity,
  requireReason: flag.default(true).describe('Whether a rollback needs --reason.'),
});

export type RawSettings = z.output<typeof settingsSchema>;
