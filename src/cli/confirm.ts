import { createInterface } from 'node:readline/promises';
import { BackstayError, isBackstayError } from '../errors/index.ts';
import type { Terminal } from './output.ts';

/**
 * Asks the person to type the stack's name: a reflex cannot answer that. Without a terminal it refuses and names the flag.
 * Errors: CONFIRMATION_NEEDED, DECLINED, CANCELLED (Ctrl-C, Ctrl-D).
 */
export async function confirmByName(terminal: Terminal, name: string, question: string): Promise<void> {
  if (!terminal.stdinIsTty)
    throw new BackstayError('CONFIRMATION_NEEDED', `${question} needs a yes, and there is no terminal to ask.`);
  const reader = createInterface({ input: process.stdin, output: process.stderr });
  // Ctrl-D closes the line without an answer, and nothing would ever come.
  const closed = new AbortController();
  reader.once('close', () => closed.abort());
  try {
    const asked = `${terminal.err.bold(question)}\nType ${terminal.err.bold(name)} to go on: `;
    const answer = await reader.question(asked, { signal: closed.signal });
    if (answer.trim() !== name)
      throw new BackstayError('DECLINED', `Not confirmed: "${answer.trim()}" is not ${name}.`);
  } catch (error) {
    if (isBackstayError(error)) throw error;
    throw new BackstayError('CANCELLED', 'Not confirmed: the question was left.', { next: 'Nothing was changed.' });
  } finally {
    reader.close();
  }
}
