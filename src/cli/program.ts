import { Command, CommanderError, Option } from 'commander';
import { BackstayError } from '../errors/index.ts';
import { reportFailure } from './failure.ts';
import { VERSION } from '../version.ts';
import { type GlobalOptions, isOutputFormat, terminalOf } from './output.ts';
import { COMMANDS, type CommandSpec } from './commands.ts';

const EXIT_CODES = `
Exit codes:
  0 done and validated, or no difference      6 approval needed, denied or expired
  1 failed, nothing changed                   7 refused: signature, cluster, precondition
  2 differences (--detailed-exitcode only)    8 done, but validation was skipped
  3 validation failed, taken back by itself  64 usage
  4 mixed: go on with \`backstay resume RUN\`  124/130/143 deadline, Ctrl-C, SIGTERM
  5 another run holds the stack`;

/** Parses the arguments and runs one command. Returns the exit code; never throws and never exits. */
export async function run(argv: readonly string[], process: NodeJS.Process): Promise<number> {
  let code = 0;
  const program = new Command('backstay')
    .description('Takes a whole stack back: captured, planned, shown, done, proven.')
    .option('-o, --output <format>', 'table, json or jsonl', 'table')
    .addOption(new Option('--color <when>', 'colour').choices(['auto', 'always', 'never']).default('auto'))
    .option('--kubeconfig <file>', 'kubeconfig instead of $KUBECONFIG and the stack file')
    .option('--context <name>', 'context of the kubeconfig')
    .option(
      '--server <url>',
      'a service that does it, instead of $BACKSTAY_SERVER; its token is in $BACKSTAY_TOKEN or a file',
    )
    .option('-q, --quiet', 'no progress on stderr')
    .version(VERSION, '-V, --version')
    .addHelpText('after', EXIT_CODES)
    .showHelpAfterError('(backstay COMMAND --help tells more)')
    .exitOverride()
    .configureOutput({ writeErr: (text) => void process.stderr.write(text) });
  for (const spec of COMMANDS) {
    add(program, spec, async (args, options) => {
      const globals = program.opts<GlobalOptions>();
      if (globals.output !== undefined && !isOutputFormat(globals.output)) {
        throw new BackstayError('USAGE', `--output ${String(globals.output)} is not one of table, json, jsonl.`);
      }
      const invocation = { args, options, globals, terminal: terminalOf(globals, process), process };
      const server = globals.server ?? process.env['BACKSTAY_SERVER'] ?? '';
      if (server === '' || spec.remote === 'here') code = await (await spec.load())(invocation);
      else code = await (await import('./remote/dispatch.ts')).runRemotely(spec, server, invocation);
    });
  }
  try {
    await program.parseAsync([...argv]);
    return code;
  } catch (error) {
    // Commander has already said what is wrong with the line; help and version are not errors.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 64;
    return reportFailure(error, terminalOf(program.opts<GlobalOptions>(), process));
  }
}

type Action = (args: readonly string[], options: Readonly<Record<string, unknown>>) => Promise<void>;

function add(program: Command, spec: CommandSpec, action: Action): void {
  const parents = spec.name.split(' ');
  const leaf = parents.pop() ?? '';
  let parent = program;
  for (const name of parents) {
    parent =
      parent.commands.find((existing) => existing.name() === name) ??
      parent.command(name).description(GROUPS[name] ?? '');
  }
  const command = parent.command(leaf).description(spec.summary).exitOverride();
  for (const [syntax, help] of spec.args ?? []) command.argument(syntax, help);
  for (const [flags, help, fallback] of spec.options ?? []) {
    const option = new Option(flags, help);
    if (fallback !== undefined) option.default(fallback);
    command.addOption(option);
  }
  for (const alias of spec.aliases ?? []) command.alias(alias);
  if (spec.examples !== undefined)
    command.addHelpText('after', `\nExamples:\n${spec.examples.map((line) => `  ${line}`).join('\n')}`);
  command.action(async () => action(command.args, command.opts()));
}

const GROUPS: Readonly<Record<string, string>> = {
  db: 'the databases of a stack: backups, and proof that they restore',
  sandbox: 'a real cluster on this machine, to rehearse on',
  proposal: 'what is to become of a rollback that alerts asked for',
  token: 'who may ask the service, and for what',
  notify: 'whom a service tells of what happens to a stack',
  keys: 'the keys of a stack: secrets, comparison, signatures',
};
