import { BackstayError, isBackstayError } from '../errors/index.ts';
import { displayName, type ObjectKey } from '../model/index.ts';
import type { Terminal } from './output.ts';

/** Prints an error for a person or as JSON, and returns the exit code. A quiet "no" of a person is one line. */
export function reportFailure(error: unknown, terminal: Terminal): number {
  if (isBackstayError(error)) return reportKnown(error, terminal);
  const storage = storageError(error);
  if (storage !== undefined) return reportKnown(storage, terminal);
  const message = error instanceof Error ? error.message : String(error);
  const stack = error instanceof Error && terminal.env['BACKSTAY_DEBUG'] !== undefined ? `\n${error.stack ?? ''}` : '';
  if (terminal.format === 'json' || terminal.format === 'jsonl') {
    terminal.result('Error', { code: 'INTERNAL', message, source: 'us' }, () => '');
  }
  terminal.note(`${terminal.err.bad('error')} INTERNAL  ${message}${stack}`);
  terminal.note(terminal.err.dim('This is a defect in Backstay. BACKSTAY_DEBUG=1 shows where.'));
  return 1;
}

function reportKnown(error: BackstayError, terminal: Terminal): number {
  const { code, message, next, at, source, exitCode, details } = error;
  if (terminal.format === 'json' || terminal.format === 'jsonl') {
    terminal.result('Error', { code, message, next, source, exitCode, ...(at ? { at } : {}), details }, () => '');
  }
  if (code === 'DECLINED') {
    terminal.note(message);
    return exitCode;
  }
  const where =
    at === undefined ? '' : `${[at.file, at.line, at.column].filter((part) => part !== undefined).join(':')}: `;
  // A message that lists several places, or is about the file itself, begins with it.
  const said = at?.file !== undefined && message.startsWith(at.file) ? message : `${where}${message}`;
  terminal.note(`${terminal.err.bad('error')} ${terminal.err.bold(code)}  ${said}`);
  for (const line of contested(details, terminal)) terminal.note(line);
  if (next !== '') terminal.note(`  ${terminal.err.dim('next:')} ${next}`);
  if (terminal.env['BACKSTAY_DEBUG'] !== undefined && error.stack !== undefined) terminal.note(error.stack);
  return exitCode;
}

/** Of a conflict: each field on a line of its own, with its owner. */
function contested(details: BackstayError['details'], { err }: Terminal): readonly string[] {
  const all = (details['all'] ?? [details]) as readonly { readonly object?: unknown; readonly contested?: unknown }[];
  return all.flatMap(({ object, contested: fields }) => {
    if (typeof object !== 'string' || !Array.isArray(fields)) return [];
    const rows = fields as readonly { readonly path: string; readonly manager: string }[];
    const width = Math.max(...rows.map(({ path }) => path.length), 0);
    return [
      `  ${err.bold(displayName(object as ObjectKey))}`,
      ...rows.map(({ path, manager }) => `    ${path.padEnd(width)}  ${err.warn(manager)}`),
    ];
  });
}

/** What the operating system says of a disk that is full, read-only or not ours: nobody's defect, and no reason to report one. */
const STORAGE = new Set(['ENOSPC', 'EDQUOT', 'EROFS', 'EACCES', 'EPERM', 'ENOTDIR', 'EIO']);

function storageError(error: unknown): BackstayError | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code, syscall, path } = error as NodeJS.ErrnoException;
  // Sockets know some of these codes, too, but no path and no file operation.
  if (code === undefined || !STORAGE.has(code) || syscall === 'connect' || syscall === 'listen') return undefined;
  const where = path === undefined ? '' : ` (${path})`;
  return new BackstayError('STORAGE_UNWRITABLE', `${error.message}${where}`, {
    cause: error,
    details: { errno: code },
  });
}
