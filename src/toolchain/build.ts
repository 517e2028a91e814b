import { mkdir, rename, statfs } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { BackstayError, isBackstayError } from '../errors/index.ts';
import type { RecipeSpec, ToolSpec } from './catalogue.ts';
import { runChild, toldBy } from './child.ts';

/** Linking comes after the last package and takes about this share of the time. */
const LINK_SHARE = 0.1;

export interface BuildRequest {
  readonly recipe: RecipeSpec;
  /** Tools of this recipe; one `go build` makes them all. */
  readonly tools: readonly ToolSpec[];
  /** Empty folder for the compiler's cache and the programs; the caller removes it. */
  readonly work: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly offline: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress: (progress: { message: string; fraction: number; secondsLeft: number }) => void;
}

/**
 * Builds from the pinned modules and returns where each program is. Errors: TOOL_MISSING without Go, TOOL_BUILD_FAILED
 * with the compiler's last lines, or when the disk is too small.
 */
export async function buildRecipe(request: BuildRequest): Promise<ReadonlyMap<string, string>> {
  const { recipe, tools, work } = request;
  await assertRoom(request);
  const out = join(work, 'out');
  const env = {
    ...request.env,
    CGO_ENABLED: '0',
    GOCACHE: join(work, 'gocache'),
    GOTMPDIR: join(work, 'tmp'),
    GOFLAGS: '-mod=readonly -buildvcs=false',
    GOWORK: 'off',
    // An older Go fetches the toolchain that go.mod names by itself.
    GOTOOLCHAIN: 'auto',
    ...(request.offline ? { GOPROXY: 'off' } : {}),
  };
  await Promise.all([out, env.GOCACHE, env.GOTMPDIR].map((folder) => mkdir(folder, { recursive: true })));
  const packages = tools.map((tool) => tool.goPackage);
  const estimate = estimator(recipe, request.onProgress);

  let fetched = 0;
  const known = new Set<string>();
  await go(request, env, ['list', '-deps', ...packages], (line, stream) => {
    if (stream === 'out') known.add(line);
    else if (line.startsWith('go: downloading ')) estimate(`fetching Go modules, ${++fetched} so far`, 0);
  });

  let built = 0;
  const single = tools.length === 1 ? tools[0] : undefined;
  const target = single === undefined ? `${out}/` : join(out, single.name);
  estimate(`compiling ${known.size} packages`, 0);
  await go(
    request,
    env,
    ['build', '-v', '-trimpath', '-ldflags', recipe.ldflags, '-o', target, ...packages],
    (line) => {
      if (!known.has(line)) return;
      built += 1;
      const part = built === known.size ? 'linking' : `compiled ${built} of ${known.size} packages`;
      estimate(part, (built / known.size) * (1 - LINK_SHARE));
    },
  );

  const programs = new Map<string, string>();
  for (const tool of tools) {
    const path = join(out, tool.name);
    if (single === undefined && basename(tool.goPackage) !== tool.name) {
      await rename(join(out, basename(tool.goPackage)), path);
    }
    programs.set(tool.name, path);
  }
  return programs;
}

async function go(
  request: BuildRequest,
  env: Readonly<Record<string, string | undefined>>,
  args: readonly string[],
  onLine: (line: string, stream: 'out' | 'err') => void,
): Promise<void> {
  const names = request.tools.map((tool) => tool.name).join(', ');
  const { exitCode, tail } = await runChild(['go', ...args], {
    cwd: request.recipe.dir,
    env,
    onLine,
    ...(request.signal === undefined ? {} : { signal: request.signal }),
  });
  if (exitCode === 0) return;
  if (exitCode === 127) {
    throw new BackstayError(
      'TOOL_MISSING',
      `${names}: not found, not to be had by download, and there is no Go to build with`,
      {
        next: `Install ${names} or Go 1.25 or later, or set ${request.tools.map((tool) => tool.variable).join(', ')}.`,
      },
    );
  }
  throw new BackstayError(
    'TOOL_BUILD_FAILED',
    `${names}: go ${args[0]} ended with ${exitCode}`,
    toldBy(tail, tail.slice(-5)),
  );
}

async function assertRoom({ recipe, work }: BuildRequest): Promise<void> {
  try {
    const { bavail, bsize } = await statfs(work);
    if (bavail * bsize >= recipe.needsBytes) return;
    const gib = (bytes: number) => (bytes / 1024 ** 3).toFixed(1);
    throw new BackstayError(
      'TOOL_BUILD_FAILED',
      `${recipe.name}: building needs ${gib(recipe.needsBytes)} GiB in ${work}, there are ${gib(bavail * bsize)}`,
      { next: 'Make room, or name a folder on another disk with BACKSTAY_CACHE_DIR.' },
    );
  } catch (error) {
    // A file system that cannot say how full it is does not stop us.
    if (isBackstayError(error)) throw error;
  }
}

/** Seconds left: the recipe's known time at first, the measured speed more and more. */
function estimator(
  recipe: RecipeSpec,
  report: BuildRequest['onProgress'],
): (message: string, fraction: number) => void {
  const start = performance.now();
  return (message, fraction) => {
    const elapsed = (performance.now() - start) / 1000;
    const byTable = Math.max(0, recipe.expectedSeconds - elapsed);
    const bySpeed = fraction === 0 ? byTable : (elapsed * (1 - fraction)) / fraction;
    const secondsLeft = Math.round(byTable * (1 - fraction) + bySpeed * fraction);
    report({ message, fraction, secondsLeft });
  };
}
