import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadStack, type Problem } from '../../src/config/index.ts';
import type { BackstayError } from '../../src/errors/index.ts';
import type { Stack } from '../../src/model/index.ts';

let projectDir: string;

beforeEach(async () => {
  projectDir = await mkdtemp(join(tmpdir(), 'backstay-config-'));
  await mkdir(join(projectDir, 'stacks'));
});
afterEach(async () => await rm(projectDir, { recursive: true, force: true }));

async function load(lines: readonly string[], env: Record<string, string> = {}): Promise<Stack> {
  const settings = lines.map((line) => `    ${line}\n`).join('');
  const text = `config:\n  backstay:namespaces: production\n  backstay:notifications:\n${settings}`;
  await writeFile(join(projectDir, 'stacks', 'Pulumi.it.yaml'), text);
  return await loadStack('it', { projectDir, env: { HOME: projectDir, ...env } });
}

async function problemsOf(...lines: readonly string[]): Promise<readonly (readonly string[])[]> {
  const error = (await load(lines).catch((caught: unknown) => caught)) as BackstayError;
  expect(error.code).toBe('STACK_INVALID');
  return (error.details['problems'] as readonly Problem[]).map(({ path, found, expected, hint }) => [
    path.replace('backstay:notifications', ''),
    found,
    expected,
    ...(hint === undefined ? [] : [hint]),
  ]);
}

const SLACK = '{ name: chat, kind: slack, webhook: { env: HOOK } }';

describe('notifications of a stack file', () => {
  test('have documented defaults', async () => {
    const { notifications } = await load([
      'channels:',
      '  - { name: chat, kind: slack, webhook: { file: secrets/hook } }',
      '  - { name: pager, kind: pagerduty, routingKey: { env: KEY } }',
      '  - { name: tickets, kind: github, repository: a/b, token: { env: TOKEN } }',
    ]);
    expect(notifications).toEqual({
      channels: [
        { name: 'chat', kind: 'slack', webhook: { file: join(projectDir, 'secrets/hook') } },
        {
          name: 'pager',
          kind: 'pagerduty',
          url: 'https://events.pagerduty.com/v2/enqueue',
          routingKey: { env: 'KEY' },
        },
        {
          name: 'tickets',
          kind: 'github',
          api: 'https://api.github.com',
          repository: 'a/b',
          token: { env: 'TOKEN' },
          labels: [],
        },
      ],
      escalation: [],
      stuckAfterMs: 900_000,
    });
  });

  test('take the issue API of the surroundings, levels by time, and a page without its last slash', async () => {
    const { notifications } = await load(
      [
        'page: https://backstay.example/',
        'stuckAfter: 2m',
        'channels:',
        '  - { name: tickets, kind: github, repository: a/b, token: { env: TOKEN } }',
        'escalation:',
        '  - { after: 1h, notify: [tickets], contact: VP }',
        '  - { after: 0m, notify: [tickets] }',
      ],
      { GITHUB_API_URL: 'https://git.example/api/v3' },
    );
    expect(notifications?.channels[0]).toMatchObject({ api: 'https://git.example/api/v3' });
    expect(notifications?.page).toBe('https://backstay.example');
    expect(notifications?.stuckAfterMs).toBe(120_000);
    expect(notifications?.escalation).toEqual([
      { afterMs: 0, notify: ['tickets'] },
      { afterMs: 3_600_000, notify: ['tickets'], contact: 'VP' },
    ]);
  });

  test.each([
    [
      'a level that names no channel',
      [`channels: [${SLACK}]`, 'escalation: [{ after: 1m, notify: [chat, chatt] }]'],
      [['.escalation[0].notify[1]', '"chatt"', 'one of the channels: chat']],
    ],
    [
      'a name that is taken',
      [`channels: [${SLACK}, ${SLACK}]`],
      [['.channels[1].name', '"chat" a second time', 'a name of its own']],
    ],
    ['no channel at all', ['channels: []'], [['.channels', 'a list of 0', 'at least one channel']]],
    [
      'an address that is none',
      ['channels: [{ name: a, kind: webhook, url: "hooks.example", secret: { env: S } }]'],
      [['.channels[0].url', '"hooks.example"', 'an absolute http or https URL']],
    ],
  ])('are refused with %s', async (_what, lines, expected) => {
    expect(await problemsOf(...lines)).toEqual(expected);
  });

  test('name a placeholder that nobody fills, and the nearest one that is filled', async () => {
    const [problem] = await problemsOf(
      'channels:',
      '  - name: chat',
      '    kind: slack',
      '    webhook: { env: HOOK }',
      "    templates: { run.ended: '{{stack}} {{ outcom }}' }",
    );
    expect(problem).toEqual([
      '.channels[0].templates.run.ended',
      'the unknown placeholder {{outcom}}',
      expect.stringContaining('outcome'),
      'outcome',
    ]);
  });

  test('never hold an address or key that is a secret: one that was put there is not repeated', async () => {
    const secret = 'https://hooks.slack.example/services/T0/B0/x';
    const found = await problemsOf('channels:', `  - { name: chat, kind: slack, webhook: "${secret}" }`);
    expect(found.flat().join('\n')).not.toContain('hooks.slack.example');
    expect(found.flat().join('\n')).toContain('never the value itself');
  });
});

test.each(['medical-kg', 'paperless', 'summit'])('the stack %s tells somebody', async (name) => {
  const repository = join(import.meta.dirname, '..', '..');
  const { notifications } = await loadStack(name, { projectDir: repository, env: { HOME: projectDir } });
  expect(notifications?.channels.length).toBeGreaterThan(1);
});
