import type { ColourChoice, Style } from './render/style.ts';
import { colourWanted, styleOf } from './render/style.ts';

export type OutputFormat = 'table' | 'json' | 'jsonl';

export interface GlobalOptions {
  readonly output?: OutputFormat;
  readonly color?: ColourChoice;
  readonly kubeconfig?: string;
  readonly context?: string;
  /** Address of a service that does it. */
  readonly server?: string;
  readonly quiet?: boolean;
}

/** Where a command writes: results to stdout, everything else to stderr. */
export interface Terminal {
  readonly format: OutputFormat;
  /** Style of stdout and of stderr: each is coloured only when it is a terminal itself. */
  readonly out: Style;
  readonly err: Style;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly stdinIsTty: boolean;
  print(text: string): void;
  note(text: string): void;
  /** One document: the human text, or the same data as JSON with `apiVersion` and `kind`. */
  result(kind: string, data: object, human: () => string): void;
  /** One line of JSON, for `--output jsonl`. */
  line(data: object): void;
}

const FORMATS: readonly string[] = ['table', 'json', 'jsonl'] satisfies OutputFormat[];

export function isOutputFormat(text: string): text is OutputFormat {
  return FORMATS.includes(text);
}

export function terminalOf(options: GlobalOptions, process: NodeJS.Process): Terminal {
  const { stdout, stderr, env } = process;
  const choice = options.color ?? 'auto';
  const format = options.output ?? 'table';
  const out = styleOf(format !== 'json' && format !== 'jsonl' && colourWanted(choice, env, stdout.isTTY));
  const err = styleOf(colourWanted(choice, env, stderr.isTTY));
  const print = (text: string): void => void stdout.write(`${text}\n`);
  return {
    format,
    out,
    err,
    env,
    cwd: process.cwd(),
    stdinIsTty: process.stdin.isTTY,
    print,
    note: (text) => {
      if (options.quiet !== true) stderr.write(`${text}\n`);
    },
    result: (kind, data, human) => {
      if (format === 'json') print(JSON.stringify(documentOf(kind, data), null, 2));
      else if (format === 'jsonl') print(JSON.stringify(documentOf(kind, data)));
      else print(human());
    },
    line: (data) => print(JSON.stringify(data)),
  };
}

/** `kind` names the document, whatever the data is called where it was made: that goes into `result`. */
function documentOf(kind: string, data: object): object {
  const { kind: result, ...rest } = data as { readonly kind?: unknown };
  return {
    apiVersion: 'backstay.dev/v1',
    kind,
    ...(result === undefined || result === kind ? {} : { result }),
    ...rest,
  };
}
