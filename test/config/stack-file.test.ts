import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { stackFileJsonSchema } from '../../src/config/json-schema.ts';
import { listStacks, loadStack, type Problem, readTarget } from '../../src/config/index.ts';
import { BackstayError } from '../../src/errors/index.ts';

let projectDir: string;
let env: Record<string, string>;

beforeEach(async () => {
  projectDir = await mkdtemp(join(tmpdir(), 'backstay-config-'));
  await mkdir(join(projectDir, 'stacks'));
  env = { HOME: join(projectDir, 'home') };
});
afterEach(() => rm(projectDir, { recursive: true, force: true }));

async function write(name: string, text: string): Promise<string> {
  const file = join(projectDir, 'stacks', `Pulumi.${name}.yaml`);
  await writeFile(file, text);
  return file;
}

async function failure(name: string): Promise<BackstayError> {
  const error = await loadStack(name, { projectDir, env }).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(BackstayError);
  return error as BackstayError;
}

async function problemsOf(config: string): Promise<readonly Problem[]> {
  await write('bad', config);
  const error = await failure('bad');
  expect(error.code).toBe('STACK_INVALID');
  return error.details.problems as readonly Problem[];
}

const RECIPIENT = 'age1c9srgngv6ykfknf0ge2gje76q24zlkasf7mnrrputl9fvyhd59nqf99r2p';

describe('a stack file', () => {
  test('has probes: durations in milliseconds, names of their own, an interval that measures the route', async () => {
    const list = (probes: string): string =>
      `config:\n  backstay:namespaces: production\n  backstay:probes:\n${probes}`;
    const users = '    - {name: users, target: {url: /health, via: {ingress: main}}}\n';
    await write(
      'probed',
      list(
        `${users}    - {name: api, target: {url: "http://127.0.0.1/"}, accept: [200, 401], interval: 1s, timeout: 0.5s}\n`,
      ),
    );
    const target = { url: '/health', via: { ingress: 'main' } };
    expect((await loadStack('probed', { projectDir, env })).probes).toEqual([
      { name: 'users', target, accept: [200], intervalMs: 500, timeoutMs: 2_000 },
      { name: 'api', target: { url: 'http://127.0.0.1/' }, accept: [200, 401], intervalMs: 1_000, timeoutMs: 500 },
    ]);
    const problems = await problemsOf(list(`${users}${users.replace('}}}', '}}, interval: 20ms}')}`));
    expect(problems.map(({ path, expected }) => [path, expected])).toEqual([
      ['backstay:probes[1].name', 'a name of its own'],
      ['backstay:probes[1].interval', 'a duration of at least 100ms'],
    ]);
  });

  test('with one namespace is a whole stack: everything else has a documented default', async () => {
    const file = await write('small', 'config:\n  backstay:namespaces: production\n');
    const stack = await loadStack('small', { projectDir, env });
    const keys = join(projectDir, 'home/.config/backstay/keys/small');
    expect(stack).toEqual({
      name: 'small',
      file,
      cluster: { leaseNamespace: 'default', leaseDurationMs: 30_000 },
      namespaces: ['production'],
      capture: { exclude: [], include: [] },
      roles: { workers: [], data: [] },
      foreign: [],
      flags: [],
      secrets: {
        recipients: [],
        identity: { file: join(keys, 'identity.txt') },
        comparisonKey: { file: join(keys, 'comparison.key') },
      },
      signing: { trusted: [], key: { file: join(keys, 'signing.jwk') } },
      engine: {
        provider: 'backstay',
        savedPlan: false,
        backend: `file://${join(projectDir, 'home/.local/state/backstay/pulumi')}`,
        secretsProvider: 'passphrase',
        passphrase: { file: join(keys, 'passphrase') },
      },
      hooks: [],
      checks: [],
      probes: [],
      stores: [],
      data: { backupMaxAgeMs: 3_600_000 },
      context: { anyOf: [], dependencies: [] },
      evidence: { limitMs: 10_000, emergencyLimitMs: 3_000, limitBytes: 20 * 1024 ** 2, logLines: 2_000 },
      doctor: { hosts: [], databases: [] },
      order: [],
      hold: { rollouts: true, autoscalers: true, deliveries: [] },
      onInvalid: 'halt',
      retention: { undoMs: 7 * 86_400_000, snapshotsMs: 90 * 86_400_000, keep: 20 },
      readyTimeoutMs: 300_000,
      approvals: { approvers: {}, severities: {}, requireSeverity: false },
      requireReason: true,
    });
  });

  test('says how long ways back stay open, in days where that is handy', async () => {
    const text = 'backstay:onInvalid: return\n  backstay:retention: { undo: 2d, snapshots: 36h, keep: 3 }';
    await write('kept', `config:\n  backstay:namespaces: shop\n  ${text}\n`);
    expect(await loadStack('kept', { projectDir, env })).toMatchObject({
      onInvalid: 'return',
      retention: { undoMs: 2 * 86_400_000, snapshotsMs: 36 * 3_600_000, keep: 3 },
    });
  });

  test('holds what it says, and Argo CD and Flux objects where they are as a rule', async () => {
    await write(
      'held',
      `config:
  backstay:namespaces: shop
  backstay:hold:
    autoscalers: false
    argocd: [{ name: shop }, { name: shop, namespace: delivery }]
    flux: [{ kind: HelmRelease, name: shop }]
`,
    );
    const { hold } = await loadStack('held', { projectDir, env });
    expect(hold).toEqual({
      rollouts: true,
      autoscalers: false,
      deliveries: [
        { group: 'argoproj.io', kind: 'Application', name: 'shop', namespace: 'argocd' },
        { group: 'argoproj.io', kind: 'Application', name: 'shop', namespace: 'delivery' },
        { group: 'helm.toolkit.fluxcd.io', kind: 'HelmRelease', name: 'shop', namespace: 'flux-system' },
      ],
    });
    const problems = await problemsOf(
      'config:\n  backstay:namespaces: shop\n  backstay:hold:\n    flux: [{ kind: GitRepository, name: shop }]\n',
    );
    expect(problems).toMatchObject([{ line: 4, expected: 'one of Kustomization, HelmRelease' }]);
  });

  test('says how it is closed while data is moved, by one of its flags', async () => {
    const flags = 'backstay:flags: [{ name: CLOSED, source: { configMap: web, key: CLOSED } }]';
    const written = (maintenance: string): string =>
      `config:\n  backstay:namespaces: shop\n  ${flags}\n  backstay:maintenance: ${maintenance}\n`;
    const check = '{ target: { url: /, via: { service: web, port: 80 } }, timeout: 5s }';
    await write('closed', written(`{ flag: CLOSED, on: 'yes', workloads: [web], check: ${check} }`));
    expect((await loadStack('closed', { projectDir, env })).maintenance).toEqual({
      flag: 'CLOSED',
      on: 'yes',
      off: 'false',
      workloads: ['web'],
      check: { target: { url: '/', via: { service: 'web', port: 80 } }, accept: [503], timeoutMs: 5_000 },
    });
    expect(await problemsOf(written('{ flag: SHUT }'))).toMatchObject([{ expected: 'one of the flags: CLOSED' }]);
    expect(await problemsOf(written("{ flag: CLOSED, off: 'true' }"))).toMatchObject([
      { expected: 'another value than `on`' },
    ]);
  });

  test('is compiled: durations to milliseconds, patterns taken apart, paths made absolute', async () => {
    await write(
      'full',
      `secretsprovider: passphrase
encryptionsalt: v1:abc
config:
  kubernetes:context: elsewhere
  other:secret:
    secure: AAABBB
  backstay:target: known-good
  backstay:namespaces: [production, jobs]
  backstay:requireReason: "false"
  backstay:readyTimeout: 90s
  backstay:cluster: {kubeconfig: ~/kube, context: prod}
  backstay:capture: {exclude: [ConfigMap/tmp-*], include: [ClusterRole/-/reader]}
  backstay:roles: {workers: [pdf-orchestrator], data: [{kind: StatefulSet, name: postgres}]}
  backstay:keys: {directory: $XDG_CONFIG_HOME/team}
  backstay:secrets: {recipients: [${RECIPIENT}], identity: {env: AGE_IDENTITY}}
  backstay:engine: {backend: "file://.pulumi-state", provider: official}
  backstay:flags:
    - {name: backend, source: {configMap: cfg, key: PDF_PROCESSING_BACKEND}}
  backstay:hooks:
    - name: pause
      phase: frozen
      timeout: 1.5s
      action: {kind: http, target: {url: /pause, via: {service: gateway, port: 80}}}
    - name: say
      phase: completed
      onError: warn
      action: {kind: announce, webhook: {file: secrets/hook}, text: done}
  backstay:checks:
    - {name: health, kind: http, target: {url: "http://127.0.0.1/health"}, onlyIf: {flag: backend, is: docling}}
    - {name: speed, kind: performance, target: {url: /health, via: {ingress: main}}, average: 250ms}
    - {name: canary, kind: canary, target: {url: /parse, via: {ingress: main}}, documents: [{file: a.pdf, recorded: a.txt}]}
  backstay:context: {dependencies: [health]}
`,
    );
    const stack = await loadStack('full', { projectDir, env });
    expect(stack.namespaces).toEqual(['production', 'jobs']);
    expect(stack.requireReason).toBe(false);
    expect(stack.readyTimeoutMs).toBe(90_000);
    expect(stack.cluster).toEqual({
      leaseNamespace: 'default',
      leaseDurationMs: 30_000,
      context: 'prod',
      kubeconfig: join(projectDir, 'home/kube'),
    });
    expect(stack.capture.exclude).toEqual([{ kind: 'ConfigMap', name: 'tmp-*' }]);
    expect(stack.capture.include).toEqual([{ kind: 'ClusterRole', namespace: '-', name: 'reader' }]);
    expect(stack.roles).toEqual({
      workers: [{ name: 'pdf-orchestrator' }],
      data: [{ kind: 'StatefulSet', name: 'postgres' }],
    });
    expect(stack.secrets.recipients).toEqual([RECIPIENT]);
    expect(stack.secrets.identity).toEqual({ env: 'AGE_IDENTITY' });
    expect(stack.signing.key).toEqual({ file: join(projectDir, 'home/.config/team/signing.jwk') });
    expect(stack.engine).toMatchObject({
      provider: 'official',
      backend: `file://${join(projectDir, '.pulumi-state')}`,
    });
    expect(stack.hooks[0]).toMatchObject({
      timeoutMs: 1500,
      onError: 'halt',
      action: { method: 'POST', accept: [200, 201, 202, 204] },
    });
    expect(stack.hooks[1]?.action).toMatchObject({ webhook: { file: join(projectDir, 'secrets/hook') } });
    expect(stack.checks[0]).toMatchObject({ when: ['capture', 'after'], accept: [200], timeoutMs: 30_000 });
    expect(stack.checks[1]).toMatchObject({ count: 10, rate: 10, averageMs: 250, p95Ms: 1000, maxMs: 2000 });
    expect(stack.checks[2]).toMatchObject({
      documents: [{ file: join(projectDir, 'stacks/a.pdf'), recorded: join(projectDir, 'stacks/a.txt') }],
    });
    expect(await readTarget('full', { projectDir })).toBe('known-good');
    expect(Object.isFrozen(stack.hooks[0]?.action)).toBe(true);
  });

  test('takes the backend from Pulumi.yaml and the public keys from the key folder when it names none itself', async () => {
    await write('team', 'config:\n  backstay:namespaces: [production]\n');
    await writeFile(join(projectDir, 'Pulumi.yaml'), 'name: x\nbackend: {url: "s3://state"}\n');
    const folder = join(projectDir, 'home/.config/backstay/keys/team');
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'recipients.txt'), `# the team\n${RECIPIENT}\n\n`);
    const trusted = [{ name: 'anna', publicKey: 'a'.repeat(43) }];
    await writeFile(join(folder, 'trusted.json'), JSON.stringify(trusted));
    const stack = await loadStack('team', { projectDir, env });
    expect(stack.engine.backend).toBe('s3://state');
    expect(stack.secrets.recipients).toEqual([RECIPIENT]);
    expect(stack.signing.trusted).toEqual(trusted);
  });
});

describe('a stack file with mistakes', () => {
  test('reports every one at once, each with its line, its column, what was found and what was expected', async () => {
    const problems = await problemsOf(`config:
  backstay:namespces: [production]
  backstay:namespaces: [Production]
  backstay:readyTimeout: 5 minutes
  backstay:hooks:
    - name: pause
      phase: frozn
      action: {kind: htpp, target: {url: /x}}
    - name: pause
      phase: frozen
      timout: 3s
      action: {kind: restart, workloads: []}
  backstay:checks:
    - name: a
      kind: http
      target: {url: /health}
      onlyIf: {flag: none, is: x}
  backstay:flags:
    - name: f
      source: {configMap: cfg, ky: K}
  backstay:context: {dependencies: [b], when: {flag: g, from: x, to: y}}
`);
    expect(
      problems.map(
        ({ line, column, path, found, hint }) =>
          `${line}:${column} ${path} ${found}${hint === undefined ? '' : ` → ${hint}`}`,
      ),
    ).toEqual([
      '2:3 backstay:namespces the unknown key backstay:namespces → backstay:namespaces',
      '3:25 backstay:namespaces[0] "Production"',
      '4:26 backstay:readyTimeout "5 minutes"',
      '7:14 backstay:hooks[0].phase "frozn" → frozen',
      '8:22 backstay:hooks[0].action.kind "htpp" → http',
      '9:13 backstay:hooks[1].name "pause" a second time',
      '11:7 backstay:hooks[1].timout the unknown key timout → timeout',
      '12:42 backstay:hooks[1].action.workloads a list of 0',
      '16:21 backstay:checks[0].target.url "/health"',
      '17:22 backstay:checks[0].onlyIf.flag "none"',
      '20:15 backstay:flags[0].source.key nothing',
      '20:32 backstay:flags[0].source.ky the unknown key ky → key',
      '21:37 backstay:context.dependencies[0] "b"',
      '21:54 backstay:context.when.flag "g"',
    ]);
    expect(problems.every(({ expected }) => expected.length > 0 && !/invalid input/i.test(expected))).toBe(true);
  });

  test('names the first place in the error itself, so that an editor can jump there', async () => {
    const file = await write('one', 'config:\n  backstay:namespaces: [x]\n  backstay:order: gateway\n');
    const error = await failure('one');
    expect(error.at).toEqual({ file, line: 3, column: 19 });
    expect(error.message).toBe(`${file}:3:19: backstay:order: found "gateway", expected a list of texts`);
  });

  test.each([
    ['no config at all', 'encryptionsalt: x\n', /backstay:namespaces: found nothing, expected a namespace or a list/],
    ['an empty file', '', /backstay:namespaces: found nothing/],
    ['a list for a file', '- a\n', /backstay:namespaces: found nothing/],
    ['broken YAML', 'config:\n  backstay:namespaces: [x\n', /:3:1: found .*expected valid YAML/],
    [
      'a key given twice',
      'config:\n  backstay:namespaces: x\n  backstay:namespaces: y\n',
      /:3:3: found Map keys must be unique/,
    ],
    [
      'a value that Pulumi encrypted',
      'config:\n  backstay:namespaces: {secure: AAA}\n',
      /:2:24: .*encrypted by Pulumi, expected a plain setting/,
    ],
  ])('%s is refused by place', async (_, text, message) => {
    await write('bad', text);
    expect((await failure('bad')).message).toMatch(message);
  });

  test('never repeats what may be a secret in the wrong place', async () => {
    await write(
      'leak',
      `config:
  backstay:namespaces: x
  backstay:engine: {passphrase: canary-hunter2}
  backstay:secrets: {recipients: [AGE-SECRET-KEY-1CANARY], identity: AGE-SECRET-KEY-1CANARY}
  backstay:signing: {key: {file: 1, env: canary-hunter2}, trusted: [{name: a, publicKey: canary-hunter2}]}
  backstay:hooks: [{name: a, phase: frozen, action: {kind: announce, webhook: "https://canary-hunter2", text: a}}]
`,
    );
    const error = await failure('leak');
    expect((error.details.problems as Problem[]).length).toBeGreaterThanOrEqual(6);
    expect(JSON.stringify(error.details) + error.message).not.toMatch(/hunter2|CANARY/);
  });
});

describe('finding stacks', () => {
  test('an unknown stack is answered with those there are and the one that was probably meant', async () => {
    await write('medical-kg', 'config: {}\n');
    await write('paperless', 'config: {}\n');
    expect(await listStacks(projectDir)).toEqual(['medical-kg', 'paperless']);
    const error = await failure('medcal-kg');
    expect(error.code).toBe('STACK_UNKNOWN');
    expect(error.message).toMatch(/There are: medical-kg, paperless\. Did you mean medical-kg\?/);
    expect(error.details).toEqual({ stacks: ['medical-kg', 'paperless'], didYouMean: 'medical-kg' });
  });

  test('a name cannot lead out of the folder of stack files', async () => {
    await writeFile(join(projectDir, 'Pulumi.evil.yaml'), 'config:\n  backstay:namespaces: x\n');
    expect((await failure('../Pulumi.evil')).code).toBe('STACK_UNKNOWN');
  });

  test('a project without a folder of stacks has none', async () => {
    expect(await listStacks(join(projectDir, 'nowhere'))).toEqual([]);
  });
});

test('stacks/schema.json is what the schema in the code gives (scripts/stack-schema.ts writes it)', async () => {
  const file = new URL('../../stacks/schema.json', import.meta.url);
  expect(JSON.parse(await readFile(file, 'utf8'))).toEqual(JSON.parse(JSON.stringify(stackFileJsonSchema())));
});
