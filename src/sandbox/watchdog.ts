import { type ChildProcess, spawn } from 'node:child_process';

/**
 * Ends what a supervisor started when the supervisor is gone, also by `kill -9`: a small shell holds the reading end of
 * a pipe, learns process groups by it, and kills them when the pipe closes. One shell instead of a wrapper a process.
 * On Linux it also looks for processes that carry the sandbox's mark in their environment, for the instant between a
 * start and its registration.
 */
export interface Watchdog {
  /** Registers a process group (a detached child's pid). */
  add(pid: number): void;
  /** The group has ended by itself. */
  remove(pid: number): void;
  /** Ends the watchdog without killing anything: for an orderly stop, when everything has ended. */
  dismiss(): Promise<void>;
}

/** Carried in the environment of the control plane's processes; the value is the sandbox's folder. */
export const MARK = 'BACKSTAY_SANDBOX_DIR';

const SCRIPT = `
groups=''
while read -r sign pid; do
  case $sign in
    +) groups="$groups $pid" ;;
    -) new=''; for g in $groups; do [ "$g" = "$pid" ] || new="$new $g"; done; groups=$new ;;
    bye) exit 0 ;;
  esac
done
for g in $groups; do kill -9 "-$g" 2>/dev/null; done
if [ -d /proc/self ]; then
  for p in $(grep -lsz -- "^$1=$2\\$" /proc/[0-9]*/environ 2>/dev/null); do
    p=\${p#/proc/}; p=\${p%/environ}
    [ "$p" = "$$" ] || kill -9 "$p" 2>/dev/null
  done
fi
`;

export function startWatchdog(dir: string): Watchdog {
  const child: ChildProcess = spawn('/bin/sh', ['-c', SCRIPT, 'backstay-watchdog', MARK, dir], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
  });
  const input = child.stdin;
  if (input === null) throw new TypeError('the watchdog has no input');
  // A watchdog that is gone can guard nothing; the write error must not end the supervisor itself.
  input.on('error', () => undefined);
  const say = (line: string): void => {
    if (input.writable) input.write(`${line}\n`);
  };
  return {
    add: (pid) => say(`+ ${pid}`),
    remove: (pid) => say(`- ${pid}`),
    dismiss: () =>
      new Promise((resolve) => {
        if (child.exitCode !== null || child.signalCode !== null) return resolve();
        child.once('exit', () => resolve());
        say('bye');
        input.end();
      }),
  };
}
