import { appendFileSync } from 'node:fs';
import { BackstayError } from '../../errors/index.ts';

/** For tests only: where a process ends itself, and where it writes down what it came by. */
export interface FailpointSettings {
  /**
   * `NAME[@DETAIL][#N][=HOW]`, such as `journal.append.before@step-end:apply` or `provider.apply.after#2=group`. Several with
   * commas: the first one that is reached acts.
   */
  readonly at?: string;
  /** A file that gets a line `NAME@DETAIL` for each reach, written before anything else happens. */
  readonly trace?: string;
}

export interface Failpoint {
  reach(name: string, detail: string): void;
}

/**
 * What happens at the point. `kill`: SIGKILL to this process. `group`: to its whole process group, as when a machine goes
 * down with the engine in it. `pause`: SIGSTOP; who set it lets it go on with SIGCONT.
 */
const HOW = ['kill', 'group', 'pause'] as const;
type How = (typeof HOW)[number];

const SYNTAX = /^(?<name>[a-z.-]+)(?:@(?<detail>.*?))?(?:#(?<nth>[1-9]\d*))?(?:=(?<how>[a-z]+))?$/;

interface Armed {
  readonly name: string;
  readonly detail: string | undefined;
  readonly nth: number;
  readonly how: How;
}

/** @throws USAGE for settings that name nothing. */
export function createFailpoint({ at, trace }: FailpointSettings): Failpoint {
  const armed = (at ?? '')
    .split(',')
    .filter((one) => one !== '')
    .map(parse);
  const reached = new Map<Armed, number>();
  return {
    reach: (name, said) => {
      const detail = said.replaceAll('#', '~');
      if (trace !== undefined) appendFileSync(trace, `${name}@${detail}\n`);
      for (const one of armed) {
        if (one.name !== name || (one.detail ?? detail) !== detail) continue;
        const times = (reached.get(one) ?? 0) + 1;
        reached.set(one, times);
        if (times === one.nth) ACTS[one.how]();
      }
    },
  };
}

const ACTS: Readonly<Record<How, () => void>> = {
  kill: () => process.kill(process.pid, 'SIGKILL'),
  group: () => process.kill(0, 'SIGKILL'),
  pause: () => process.kill(process.pid, 'SIGSTOP'),
};

function parse(at: string): Armed {
  const { name, detail, nth = '1', how = 'kill' } = SYNTAX.exec(at)?.groups ?? {};
  if (name === undefined || !isHow(how)) {
    throw new BackstayError('USAGE', `BACKSTAY_FAILPOINT=${at} is not NAME[@DETAIL][#N][=${HOW.join('|')}].`);
  }
  return { name, detail, nth: Number(nth), how };
}

function isHow(text: string): text is How {
  return HOW.some((how) => how === text);
}
