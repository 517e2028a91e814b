import type { CommandSpec } from '../commands.ts';
import { STACK } from './shared.ts';

/** The service, and who may ask it. */
export const SERVICE_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'serve',
    summary: 'answer over HTTP: the API under /v1, the page at /, runs carried in processes of their own',
    options: [
      ['--listen <address>', 'HOST:PORT (default: what the settings say, else 127.0.0.1:7787)'],
      ['--config <file>', 'settings (default: backstay.service.yaml of the project, where there is one)'],
    ],
    examples: ['backstay serve', 'backstay serve --config /etc/backstay/service.yaml'],
    remote: 'here',
    load: async () => (await import('../commands/serve.ts')).serve,
  },
  {
    name: 'notify test',
    summary: 'send a channel of a stack a test notice, and say whether it took it',
    args: [STACK, ['<channel>', 'as backstay:notifications names it']],
    examples: ['backstay notify test medical-kg doc-processing'],
    remote: 'here',
    load: async () => (await import('../commands/notify.ts')).test,
  },
  {
    name: 'proposals',
    summary: 'list the rollbacks that alerts asked for, newest first',
    args: [['[stack]', 'only of this stack']],
    options: [['--state <state>', 'only those that are planning, open, started, dismissed, settled or expired']],
    load: async () => (await import('../commands/proposals.ts')).list,
    remote: async () => (await import('../remote/proposals.ts')).list,
  },
  {
    name: 'proposal accept',
    summary: 'carry the plan of a proposal out, in your name',
    args: [['<id>', 'as `proposals` names it']],
    options: [
      ['--reason <text>', 'why: kept with the proposal'],
      ['-y, --yes', 'do not ask'],
    ],
    examples: ['backstay proposal accept p-20260102-031500-3f9a2c --reason "looks right"'],
    load: async () => (await import('../commands/proposals.ts')).accept,
    remote: async () => (await import('../remote/proposals.ts')).accept,
  },
  {
    name: 'proposal dismiss',
    summary: 'start nothing; the same alerts do not ask again',
    args: [['<id>', 'as `proposals` names it']],
    options: [['--reason <text>', 'why: those who were alerted read it']],
    examples: ['backstay proposal dismiss p-20260102-031500-3f9a2c --reason "a load test"'],
    load: async () => (await import('../commands/proposals.ts')).dismiss,
    remote: async () => (await import('../remote/proposals.ts')).dismiss,
  },
  {
    name: 'token create',
    summary: 'make a token for the API, and print it: the only time that it is shown',
    args: [['<name>', 'what it is called; what it does is journaled as token:NAME']],
    options: [
      ['--for <person>', 'whose it is, such as anna: their tokens are one person where people have to agree'],
      ['--role <role>', 'viewer (watch), operator (also plan and run) or admin (also tokens)', 'viewer'],
      ['--stack <names>', 'on which stacks, with commas and * as wildcard'],
      ['--approves <roles>', "roles of the stack's approval policy in which it may decide, with commas"],
      ['--expires <duration>', 'such as 90d; without it: when it is revoked'],
    ],
    examples: [
      "backstay token create deploy-bot --role operator --stack 'shop-*' --expires 90d",
      "backstay token create carla-laptop --for carla --role operator --stack '*' --approves cto",
    ],
    remote: 'here',
    load: async () => (await import('../commands/token.ts')).create,
  },
  {
    name: 'token list',
    summary: 'list the tokens: what they may, until when, never what they are',
    remote: 'here',
    load: async () => (await import('../commands/token.ts')).list,
  },
  {
    name: 'token revoke',
    summary: 'let a token open nothing any more; streams that it opened end',
    args: [['<name>', 'as `token list` names it']],
    remote: 'here',
    load: async () => (await import('../commands/token.ts')).revoke,
  },
];
