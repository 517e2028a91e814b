import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BackstayError } from '../errors/index.ts';
import { ensureBundle, writePrograms } from './bundle.ts';
import { onlyWhatRuns, unpackDebian } from './debian.ts';
import type { ToolOptions } from './types.ts';
import { probeVersion } from './versions.ts';

/** Prometheus and Alertmanager with their tools: what alerts are tried with, and the rules that we ship. */
export interface PrometheusTools {
  /** Absolute paths. */
  readonly prometheus: string;
  readonly promtool: string;
  readonly alertmanager: string;
  readonly amtool: string;
  /** Of Prometheus: `2.42.0`. */
  readonly version: string;
}

const PROGRAMS = ['prometheus', 'promtool', 'prometheus-alertmanager', 'amtool'] as const;
const PACKAGES = ['prometheus', 'prometheus-alertmanager'];

/**
 * Debian's Alertmanager reads its templates from where the package is installed, and does not start without them. The text of
 * that place in the program becomes one of the same length, which is found from the folder in which it is started.
 */
const TEMPLATES = {
  debian: '/usr/share/prometheus/alertmanager',
  ours: `usr/lib/${'./'.repeat(7)}alertmanager`,
} as const;

/**
 * In the cache, else from the packages of this machine's Debian. Errors: TOOL_MISSING, TOOL_BUILD_FAILED.
 */
export async function findPrometheus(options: ToolOptions = {}): Promise<PrometheusTools> {
  const entry = await ensureBundle(
    {
      name: 'prometheus',
      version: 'debian-2',
      pins: `${PACKAGES.join(' ')} with templates at ${TEMPLATES.ours}`,
      program: join('bin', 'prometheus'),
      make: async (staging, work) => {
        await unpackDebian({ tool: 'prometheus', packages: PACKAGES, programs: PROGRAMS, staging }, work);
        await placeTemplates(staging);
        await onlyWhatRuns(staging);
      },
    },
    options,
  );
  const [prometheus, promtool, alertmanager, amtool] = PROGRAMS.map((name) => join(entry, 'bin', name)) as [
    string,
    string,
    string,
    string,
  ];
  const version = await probeVersion(prometheus, {
    args: ['--version'],
    pattern: /version (\d+\.\d+\.\d+)/,
    env: process.env,
  });
  if (version !== undefined) return { prometheus, promtool, alertmanager, amtool, version };
  throw new BackstayError('TOOL_BUILD_FAILED', `Prometheus cannot be run from ${entry}`);
}

async function placeTemplates(staging: string): Promise<void> {
  const root = join(staging, 'root');
  await mkdir(join(root, 'usr', 'lib'), { recursive: true });
  await rename(join(root, TEMPLATES.debian), join(root, TEMPLATES.ours));
  const program = join(root, 'usr', 'bin', 'prometheus-alertmanager');
  const bytes = await readFile(program);
  for (let at = bytes.indexOf(TEMPLATES.debian); at !== -1; at = bytes.indexOf(TEMPLATES.debian, at))
    bytes.write(TEMPLATES.ours, at);
  await writeFile(program, bytes);
  await writePrograms(staging, { 'prometheus-alertmanager': SCRIPT });
}

const SCRIPT = `#!/bin/sh
cd -- "$(dirname -- "$0")/../root" && exec usr/bin/prometheus-alertmanager "$@"
`;
