import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createPulumiEngine } from '../../../src/adapters/pulumi/index.ts';
import { type KubeObject, keyOf, type ObjectKey, type Stack } from '../../../src/model/index.ts';
import type { Engine, EngineProgress, EngineUpdate, Permit } from '../../../src/ports/index.ts';
import { findTool } from '../../../src/toolchain/index.ts';
import { testCluster } from '../../support/cluster.ts';

export const PASSPHRASE = 'correct horse battery staple';

export interface Machine {
  /** Everything that Pulumi writes, state included, is under it. */
  readonly dir: string;
  readonly stack: Stack;
  readonly engine: Engine;
  /** The checkpoint file of the stack. */
  readonly checkpoint: string;
  readonly lockDir: string;
  remove(): Promise<void>;
}

/** An engine with a state folder of its own, as on a machine that knows nothing yet. */
export async function machine(
  settings: {
    readonly foreign?: Stack['foreign'];
    readonly provider?: 'backstay' | 'official';
    readonly savedPlan?: boolean;
  } = {},
): Promise<Machine> {
  const { cluster } = await testCluster();
  const { path } = await findTool('pulumi');
  const dir = await mkdtemp(join(tmpdir(), 'backstay-engine-'));
  const backend = join(dir, 'backend');
  await mkdir(backend);
  const stack = {
    name: 'test',
    file: join(dir, 'Pulumi.test.yaml'),
    cluster: {},
    foreign: settings.foreign ?? [],
    engine: {
      provider: settings.provider ?? 'backstay',
      backend: `file://${backend}`,
      secretsProvider: 'passphrase',
      passphrase: { env: 'UNUSED' },
      savedPlan: settings.savedPlan ?? false,
    },
  } as unknown as Stack;
  const engine = createPulumiEngine({
    stack,
    cluster,
    pulumiPath: path,
    projectName: 'backstay',
    stateDir: join(dir, 'state'),
    passphrase: async () => PASSPHRASE,
    env: { HOME: dir },
  });
  return {
    dir,
    stack,
    engine,
    checkpoint: join(backend, '.pulumi', 'stacks', 'backstay', 'test.json'),
    lockDir: join(backend, '.pulumi', 'locks', 'organization', 'backstay', 'test'),
    remove: () => rm(dir, { recursive: true, force: true }),
  };
}

export interface StateResource {
  readonly urn: string;
  readonly type: string;
  readonly id?: string;
  readonly inputs?: Readonly<Record<string, unknown>>;
  readonly outputs?: Readonly<Record<string, unknown>>;
  readonly initErrors?: readonly string[];
  readonly provider?: string;
}

export async function resourcesIn(checkpoint: string): Promise<readonly StateResource[]> {
  const { checkpoint: state } = JSON.parse(await readFile(checkpoint, 'utf8')) as {
    checkpoint: { latest: { resources?: readonly StateResource[] } };
  };
  return state.latest.resources ?? [];
}

/** Every file below a folder, as text. */
export async function allText(dir: string): Promise<string> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return (await Promise.all(files.map((entry) => readFile(join(entry.parentPath, entry.name), 'latin1')))).join('\n');
}

/** An update that may do everything to these objects but delete or replace. */
export function update(
  objects: readonly KubeObject[],
  more: { readonly permit?: Partial<Permit> } & Partial<Omit<EngineUpdate, 'permit' | 'objects'>> = {},
): EngineUpdate & { readonly said: EngineProgress[] } {
  const keys: ReadonlySet<ObjectKey> = new Set(objects.map(keyOf));
  const said: EngineProgress[] = [];
  const { permit, ...rest } = more;
  return {
    objects,
    permit: {
      create: keys,
      update: keys,
      replace: new Set(),
      delete: new Map(),
      observed: new Map(),
      takeFrom: [],
      ...permit,
    },
    onProgress: (progress) => said.push(progress),
    readyTimeoutMs: 0,
    said,
    ...rest,
  };
}
