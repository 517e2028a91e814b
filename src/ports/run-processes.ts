/** Names one life of one process, on one start of one machine. */
export interface RunMark {
  /** Its boot and its process namespace; empty where that cannot be told. */
  readonly machine: string;
  readonly pid: number;
  /** Clock ticks after the machine's start. */
  readonly started: number;
}

/** Processes that carry runs: each in a group of its own, and outliving whoever started it. */
export interface RunProcesses {
  /** `backstay resume RUN`, in somebody's name. Resolves once it runs. @throws TOOL_MISSING when it cannot be started */
  start(run: string, options: RunStart): Promise<RunProcess>;
  /** This very process. */
  self(): Promise<RunMark>;
  /** `elsewhere`: it is, or was, on another machine, and nobody here can tell. */
  find(mark: RunMark): Promise<'at work' | 'gone' | 'elsewhere'>;
  /** The first SIGTERM asks it to stop between two steps. False: it is gone, or not on this machine. */
  stop(mark: RunMark): Promise<boolean>;
}

/** Other commands of ours that take long, each in a process of its own as runs are. */
export interface CommandProcesses {
  /** `backstay ARGS --output jsonl`. Resolves once it runs. @throws TOOL_MISSING when it cannot be started */
  command(args: readonly string[], options: RunStart): Promise<RunProcess>;
}

export interface RunStart {
  /** Who asked for it: the user in its journal. */
  readonly user: string;
  /** Absolute path; what it says is added to this file, which only its owner may read. */
  readonly log: string;
  /** Variables of ours that it does not get. */
  readonly without: readonly string[];
}

export interface RunProcess {
  readonly mark: RunMark;
  /** Resolves when it has ended, however that came. Keeps nobody from ending first. */
  readonly ended: Promise<void>;
}
