import { createInterface } from 'node:readline/promises';
import { BackstayError } from '../errors/index.ts';
import type { Terminal } from './output.ts';

/**
 * Asks the person to type the stack's name: a reflex cannot answer that. Without a terminal it refuses and names the flag.
 * Errors: CONFIRMATION_NEEDED, DECLINED.
 */
export async function confirmByName(terminal: Terminal, name: string, question: string): Promise<void> {
  if (!terminal.stdinIsTty)
    throw new BackstayError('CONFIRMATION_NEEDED', `${question} needs a yes, and there is no terminal to ask.`);
  const reader = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await reader.question(`${terminal.err.bold(question)}\nType ${terminal.err.bold(name)} to go on: `);
    if (answer.trim() !== name)
      throw new BackstayError('DECLINED', `Not confirmed: "${answer.trim()}" is not ${name}.`);
  } finally {
    reader.close();
  }
}
