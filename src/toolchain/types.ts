/** The programs that Backstay runs and does not ship. `kubectl`, `kwok`, `helm` and `actionlint` serve the bench, the tests and fake nodes only. */
export const TOOL_NAMES = [
  'etcd',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'pulumi',
  'kwok',
  'kubectl',
  'helm',
  'actionlint',
] as const;
export type ToolName = (typeof TOOL_NAMES)[number];

/**
 * Where a tool was found: `named` by its own environment variable, `assets` in KUBEBUILDER_ASSETS, on `path`, in the
 * `cache` from an earlier time, or just now `downloaded` or `built`.
 */
export type ToolOrigin = 'named' | 'assets' | 'path' | 'cache' | 'downloaded' | 'built';

export interface FoundTool {
  readonly name: string;
  /** Absolute path of the program. */
  readonly path: string;
  /** Without a leading `v`. */
  readonly version: string;
  readonly origin: ToolOrigin;
  readonly sizeBytes: number;
}

export type ToolStatus =
  | ({ readonly state: 'found' } & FoundTool)
  /** Not there, or there and of no use. `reason` says which; the next use fetches or builds it. */
  | { readonly state: 'missing' | 'damaged'; readonly name: string; readonly version: string; readonly reason: string };

export interface ToolProgress {
  readonly tool: string;
  readonly stage: 'find' | 'download' | 'build' | 'publish';
  readonly message: string;
  /** 0 to 1, of the whole work on this tool. */
  readonly fraction?: number;
  readonly secondsLeft?: number;
}

export interface ToolOptions {
  /** @default process.env */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly onProgress?: (progress: ToolProgress) => void;
  /** Stops a download or a build; nothing half-done stays behind. */
  readonly signal?: AbortSignal;
  /** @default $BACKSTAY_CACHE_DIR, else $XDG_CACHE_HOME/backstay, else ~/.cache/backstay */
  readonly cacheDir?: string;
  /** Compare the SHA-256 of cached files even where size and time of change are as published. @default false */
  readonly verify?: boolean;
}
