import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runChild } from '../../src/toolchain/child.ts';
import { onlyWhatRuns, unpackDebian } from '../../src/toolchain/debian.ts';

let dir: string;
let staging: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'backstay-test-debian-'));
  staging = join(dir, 'entry');
  await Promise.all([mkdir(staging), mkdir(join(dir, 'bin'))]);
});
afterEach(async () => await rm(dir, { recursive: true, force: true }));

async function fake(name: string, text: string): Promise<void> {
  await writeFile(join(dir, 'bin', name), `#!/bin/sh\n${text}`);
  await chmod(join(dir, 'bin', name), 0o755);
}

/** An apt whose lists of the machine are too old where `needsLists`; a package is the name of what it unpacks to. */
async function fakeApt(needsLists: boolean): Promise<void> {
  await fake(
    'apt-get',
    `echo "$*" >>'${dir}/asked'
lists=${needsLists ? '' : 'any'}
for word; do
  case $word in Dir::State::lists=*) lists=\${word#*=};; esac
  last=$word
done
[ "$last" = update ] && touch "$lists/fresh" && exit 0
[ "$lists" = any ] || [ -e "$lists/fresh" ] || { echo "E: no package $last"; exit 100; }
echo content >"$last.deb"
`,
  );
  await fake(
    'dpkg-deb',
    `mkdir -p "$3/usr/bin" "$3/usr/lib/x86_64-linux-gnu" "$3/usr/share/doc" "$3/etc"
printf '#!/bin/sh\\necho "ran with $LD_LIBRARY_PATH"\\n' >"$3/usr/bin/thing"
chmod 755 "$3/usr/bin/thing"
`,
  );
}

const unpack = async (told: string[] = []): Promise<void> =>
  await unpackDebian(
    { tool: 'thing', packages: ['thing'], programs: ['thing'], staging },
    { env: { PATH: `${join(dir, 'bin')}:/usr/bin:/bin` }, temporary: dir, say: (message) => told.push(message) },
  );

describe.runIf(existsSync('/usr/bin/apt-get') && existsSync('/usr/bin/dpkg-deb'))('packages of Debian', () => {
  it('become programs that find their libraries wherever the folder is moved to', async () => {
    await fakeApt(false);
    const told: string[] = [];
    await unpack(told);
    expect(told).toEqual(['downloading thing', 'unpacking thing.deb']);
    await onlyWhatRuns(staging);
    expect((await readdir(staging)).sort()).toEqual(['bin', 'root']);
    expect(await readdir(join(staging, 'root'))).toEqual(['usr']);
    expect((await readdir(join(staging, 'root', 'usr'))).sort()).toEqual(['bin', 'lib']);
    const { exitCode, tail } = await runChild([join(staging, 'bin', 'thing')], {
      cwd: dir,
      env: { PATH: '/usr/bin:/bin' },
      onLine: () => undefined,
    });
    expect(exitCode).toBe(0);
    expect(tail.join()).toContain(`${staging}/bin/../root/usr/lib/x86_64-linux-gnu`);
  });

  it('keep what more is asked for', async () => {
    await fakeApt(false);
    await unpack();
    await onlyWhatRuns(staging, [
      ['.', ['root']],
      ['root/usr', ['share']],
    ]);
    expect(await readdir(staging)).toEqual(['root']);
    expect((await readdir(join(staging, 'root'))).sort()).toEqual(['etc', 'usr']);
    expect(await readdir(join(staging, 'root', 'usr'))).toEqual(['share']);
  });

  it('are looked up in lists of our own where those of the machine will not do', async () => {
    await fakeApt(true);
    await unpack();
    const asked = (await readFile(join(dir, 'asked'), 'utf8')).trim().split('\n');
    expect(asked.map((line) => line.replace(/-o \S+ /g, ''))).toEqual([
      '-q download thing',
      '-q update',
      '-q download thing',
    ]);
    expect(asked[0]).not.toContain('Dir::State::lists');
    expect(existsSync(join(staging, 'bin', 'thing'))).toBe(true);
  });

  it('are missing in apt’s own words where it has no such package', async () => {
    await fakeApt(true);
    await fake('apt-get', 'echo "E: no package thing"; exit 100');
    await expect(unpack()).rejects.toMatchObject({
      code: 'TOOL_MISSING',
      message: 'thing: apt-get download ended with 100',
      next: 'It said: E: no package thing',
      details: { output: ['E: no package thing'] },
    });
  });

  it('are refused when one cannot be unpacked', async () => {
    await fakeApt(false);
    await fake('dpkg-deb', 'echo not a package; exit 2');
    await expect(unpack()).rejects.toMatchObject({
      code: 'TOOL_BUILD_FAILED',
      message: 'thing.deb cannot be unpacked',
    });
  });
});
