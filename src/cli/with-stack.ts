import { compose, type Composition } from '../compose.ts';
import { progressPrinter } from '../toolchain/index.ts';
import type { Invocation } from './commands.ts';

/** Composes for one stack, runs, and closes every connection whatever happened. */
export async function withStack<T>(
  invocation: Invocation,
  stack: string,
  work: (composition: Composition) => Promise<T>,
  overrides: { readonly readyTimeoutMs?: number } = {},
): Promise<T> {
  const { terminal, globals, process } = invocation;
  const printer = progressPrinter(process.stderr);
  const composition = await compose({
    stack,
    env: terminal.env,
    cwd: terminal.cwd,
    ...(globals.kubeconfig === undefined ? {} : { kubeconfig: globals.kubeconfig }),
    ...(globals.context === undefined ? {} : { context: globals.context }),
    ...overrides,
    onWarning: (line) => terminal.note(terminal.err.warn(line)),
    onToolProgress: printer,
  });
  try {
    return await work(composition);
  } finally {
    printer.done();
    await composition.close();
  }
}
