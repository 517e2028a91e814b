import { randomUUID } from 'node:crypto';
import { appendFile } from 'node:fs/promises';

export interface Runner {
  line(text: string): void;
  /** Hides a text in every log from here on. */
  mask(secret: string): void;
  error(title: string, text: string): void;
  warning(text: string): void;
  output(name: string, value: string): Promise<void>;
  /** Markdown on the page of the job. */
  summary(markdown: string): Promise<void>;
}

/** What the runner understands on stdout and in the files that it names. */
export function githubRunner(env: Readonly<Record<string, string | undefined>>, write: (text: string) => void): Runner {
  const command = (name: string, text: string, title = ''): void =>
    write(`::${name}${title === '' ? '' : ` title=${escaped(title, true)}`}::${escaped(text)}\n`);
  const append = async (file: string | undefined, text: string): Promise<void> => {
    if (file !== undefined && file !== '') await appendFile(file, text);
  };
  return {
    // A line of a run must never be read as a command.
    line: (text) => write(`${text.replaceAll(/^(\s*)::/gm, '$1: :')}\n`),
    mask: (secret) => command('add-mask', secret),
    error: (title, text) => command('error', text, title),
    warning: (text) => command('warning', text),
    output: async (name, value) => {
      // No value can hold the end of itself.
      const end = `end-${randomUUID()}`;
      await append(env['GITHUB_OUTPUT'], `${name}<<${end}\n${value}\n${end}\n`);
    },
    summary: async (markdown) => await append(env['GITHUB_STEP_SUMMARY'], `${markdown}\n`),
  };
}

function escaped(text: string, property = false): string {
  const data = text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
  return property ? data.replaceAll(':', '%3A').replaceAll(',', '%2C') : data;
}
