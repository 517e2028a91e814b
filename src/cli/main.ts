/** The rim: parses, runs one command, prints what went wrong, and alone sets the exit code. */
import { run } from './program.ts';

process.exitCode = await run(process.argv, process);
// Pools and watchers of a finished command must not hold the shell; what it had to say has been written by now.
if (process.stdout.writableLength === 0 && process.stderr.writableLength === 0) process.exit();
process.stdout.once('drain', () => process.exit());
process.stderr.once('drain', () => process.exit());
