/**
 * Brings node_modules and the project's own Node to what package-lock.json says. Plain JavaScript without packages, for
 * Node 18 and later: it runs before anything is there.
 */
import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { withSocketLock } from './socket-lock.mjs';

/** node:sqlite without a flag, type stripping, and what undici and commander ask for. */
const OLDEST_NODE = [22, 19];

/**
 * Kills npm's process group at the end of standard input, which is when this process ends, however it does: a second
 * installation must never meet a first one that was left behind.
 */
const ENDS_WITH_US = [
  'exec 3<&0',
  '"$@" </dev/null 3<&- & work=$!',
  '(read -r _ <&3; kill -KILL 0) & watch=$!',
  'wait "$work"; code=$?',
  'kill "$watch" 2>/dev/null',
  'exit "$code"',
].join('\n');

/** Says in one line what a person has to do. */
export class SetupError extends Error {}

/** Makes sure that packages and Node are there; does nothing when they are. Safe when several processes ask at once. */
export async function ensureInstalled(root, say = (line) => process.stderr.write(`backstay set-up: ${line}\n`)) {
  if ((await missing(root)) === undefined) return;
  await withSocketLock(join(root, 'node_modules'), {
    onWait: () => say('another process is installing; waiting for it'),
    work: async () => {
      // Another process may have done it all while we waited.
      const lack = await missing(root);
      if (lack === undefined) return;
      if (lack.packages !== undefined) await installPackages(root, lack.packages, say);
      if (await nodeLack(root)) await installNode(root, say);
      const still = await missing(root);
      if (still === undefined) return;
      throw new SetupError(
        `npm finished, but ${still.packages ?? still.node}. Do package.json and package-lock.json agree? \`npm install\` makes them.`,
      );
    },
  });
}

async function missing(root) {
  const packages = await packagesLack(root);
  if (packages !== undefined) return { packages };
  const node = await nodeLack(root);
  return node === undefined ? undefined : { node };
}

/**
 * Why node_modules is not what the lock file says, or undefined. npm writes its hidden lock file last, so an interrupted
 * installation has none. Optional packages may be absent: they are for other machines.
 */
export async function packagesLack(root) {
  const wanted = await readLock(join(root, 'package-lock.json'));
  if (wanted === undefined) throw new SetupError(`package-lock.json is missing or unreadable in ${root}`);
  const present = await readLock(join(root, 'node_modules', '.package-lock.json'));
  if (present === undefined) return 'node_modules is not there or not complete';
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === '') continue;
    const have = present[path];
    if (have === undefined && entry.optional) continue;
    if (have === undefined) return `${path} is missing`;
    if (have.version !== entry.version) return `${path} is ${have.version} instead of ${entry.version}`;
    if (!existsSync(join(root, path, 'package.json'))) return `${path} is missing`;
  }
  return undefined;
}

async function readLock(path) {
  try {
    return JSON.parse(await readFile(path, 'utf8')).packages;
  } catch {
    return undefined;
  }
}

async function nodeLack(root) {
  const link = join(root, 'node_modules', '.bin', 'node');
  if (!existsSync(link)) return 'node_modules/.bin/node is missing';
  // The version that npm unpacked needs no question; running it would cost every start 40 ms.
  const { version } = JSON.parse(await readFile(join(root, 'node_modules', 'node', 'package.json'), 'utf8'));
  const [major, minor] = version.split('.').map(Number);
  const enough = major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1]);
  return enough ? undefined : `node_modules/.bin/node is ${version}; at least ${OLDEST_NODE.join('.')} is needed`;
}

async function installPackages(root, reason, say) {
  say(`${reason}: installing the npm packages of package-lock.json (about half a minute)`);
  // Not `npm ci`: it refuses a lock file that lacks optional packages of other machines, as registry mirrors make them.
  // `install --no-save` takes the same versions and digests from the lock file and leaves it alone. Install scripts stay
  // off: one of them would download a Pulumi plugin.
  await npm(
    root,
    ['install', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'],
    root,
    say,
  );
}

/** npm's `node` package fetches the program for this machine in its install script, which stayed off above. */
async function installNode(root, say) {
  const folder = join(root, 'node_modules', 'node');
  const { version } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
  const platform = `${process.platform === 'darwin' && process.arch === 'arm64' ? 'node-bin' : 'node'}-${process.platform}-${process.arch}`;
  say(`this is Node ${process.versions.node}; fetching Node ${version} for the project`);
  const staging = join(root, 'node_modules', '.backstay-node');
  await rm(staging, { recursive: true, force: true });
  await mkdir(staging, { recursive: true });
  const install = [
    'install',
    '--no-save',
    '--no-package-lock',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
  ];
  await npm(root, [...install, '--prefix', staging, `${platform}@${version}`], staging, say);
  const fetched = join(staging, 'node_modules', platform, 'bin', 'node');
  const { stdout } = await promisify(execFile)(fetched, ['--version']).catch((cause) => {
    throw new SetupError(`${platform}@${version} does not run on this machine: ${cause.message}`);
  });
  if (stdout.trim() !== `v${version}`) throw new SetupError(`${platform}@${version} says that it is ${stdout.trim()}`);
  await mkdir(join(folder, 'bin'), { recursive: true });
  await rename(fetched, join(folder, 'bin', 'node'));
  const link = join(root, 'node_modules', '.bin', 'node');
  await mkdir(join(root, 'node_modules', '.bin'), { recursive: true });
  await rm(link, { force: true });
  await symlink(join('..', 'node', 'bin', 'node'), link);
  await rm(staging, { recursive: true, force: true });
}

function npm(root, args, cwd, say) {
  // Under `npm test` the npm that is running is known; otherwise the one on PATH.
  const running = process.env.npm_execpath;
  const viaNode = running !== undefined && /npm-cli\.c?js$/.test(running) && existsSync(running);
  const [command, rest] = viaNode ? [process.execPath, [running, ...args]] : ['npm', args];
  const started = Date.now();
  const child = spawn('/bin/sh', ['-c', ENDS_WITH_US, 'sh', command, ...rest], {
    cwd,
    stdio: ['pipe', 'inherit', 'inherit'],
    env: cleanEnv(root),
    detached: true,
  });
  child.stdin.on('error', () => child.stdin.destroy());
  const seconds = () => Math.round((Date.now() - started) / 1000);
  const progress = setInterval(() => say(`npm is still at work, ${seconds()} s so far`), 15_000);
  return new Promise((resolve, reject) => {
    child.once('error', (cause) => reject(new SetupError(`/bin/sh cannot be started: ${cause.message}`)));
    child.once('close', (code) => {
      if (code === 0) resolve();
      else if (code === 127)
        reject(new SetupError('npm cannot be found. Install Node.js 20 or later with npm, then run this again.'));
      else
        reject(
          new SetupError(
            `npm ended with ${code} (its reason is above). Check the network or the registry in .npmrc, then run this again.`,
          ),
        );
    });
  }).finally(() => clearInterval(progress));
}

/** Settings of the npm that runs us must not change what the inner one does. */
function cleanEnv(root) {
  const inherited = Object.entries(process.env).filter(
    ([name]) =>
      !/^npm_(config_(prefix|local_prefix|global|omit|include|production|only|save|dry_run|argv)|lifecycle|package)/i.test(
        name,
      ),
  );
  return { ...Object.fromEntries(inherited), INIT_CWD: root };
}
