import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BackstayError } from '../errors/index.ts';
import { ensureBundle, writePrograms } from './bundle.ts';
import { onlyWhatRuns, unpackDebian } from './debian.ts';
import type { ToolOptions } from './types.ts';
import { probeVersion } from './versions.ts';

/** Without a screen and the libraries of one: Debian builds it from the same sources as the browser. */
const BROWSER = 'chromium-headless-shell';
/** With all that they load and a bare Debian 12 lacks; what every Debian has (libc, libstdc++, zlib …) is not among them. */
const PACKAGES = [
  BROWSER,
  'chromium-common',
  'fontconfig-config',
  'fonts-dejavu-core',
  'libasound2',
  'libasyncns0',
  'libatk1.0-0',
  'libatspi2.0-0',
  'libbrotli1',
  'libbsd0',
  'libdav1d6',
  'libdbus-1-3',
  'libdouble-conversion3',
  'libdrm2',
  'libexpat1',
  'libffi8',
  'libflac12',
  'libfontconfig1',
  'libfreetype6',
  'libgbm1',
  'libglib2.0-0',
  'libgraphite2-3',
  'libharfbuzz-subset0',
  'libharfbuzz0b',
  'libicu72',
  'libjpeg62-turbo',
  'liblcms2-2',
  'libmd0',
  'libminizip1',
  'libmp3lame0',
  'libmpg123-0',
  'libnspr4',
  'libnss3',
  'libogg0',
  'libopenh264-7',
  'libopenjp2-7',
  'libopus0',
  'libpng16-16',
  'libpulse0',
  'libsndfile1',
  'libsqlite3-0',
  'libvorbis0a',
  'libvorbisenc2',
  'libwayland-server0',
  'libx11-6',
  'libx11-xcb1',
  'libxau6',
  'libxcb1',
  'libxcomposite1',
  'libxdamage1',
  'libxdmcp6',
  'libxext6',
  'libxfixes3',
  'libxi6',
  'libxkbcommon0',
  'libxml2',
  'libxnvctrl0',
  'libxrandr2',
  'libxrender1',
];
/** Folders in which the browser may lie within a package. */
const PLACES = ['usr/lib/chromium', 'usr/bin'] as const;
const INSTALLED = ['/usr/bin/chromium', '/usr/bin/chromium-headless-shell', '/usr/bin/google-chrome'] as const;
const WITH_FONTS = [
  ['.', ['bin', 'root']],
  ['root', ['usr', 'lib']],
  ['root/usr', ['bin', 'lib', 'share']],
  ['root/usr/share', ['fonts']],
] as const;
const ENTRY = 'debian-headless';
const VERSION = { args: ['--version'], pattern: /(\d+\.\d+\.\d+\.\d+)/, env: process.env } as const;

/**
 * A browser for tests of the page: the one that $BACKSTAY_CHROMIUM names, else an installed one, else from the packages of
 * this machine's Debian. Errors: TOOL_MISSING, TOOL_BUILD_FAILED.
 */
export async function findChromium(options: ToolOptions = {}): Promise<string> {
  const named = (options.env ?? process.env)['BACKSTAY_CHROMIUM'];
  if (named !== undefined && named !== '') {
    if ((await probeVersion(named, VERSION)) !== undefined) return named;
    throw new BackstayError('TOOL_MISSING', `BACKSTAY_CHROMIUM names ${named}, which is no Chromium that runs`, {
      next: 'Correct it, or unset it to let Backstay find one itself.',
    });
  }
  for (const path of INSTALLED) if (existsSync(path)) return path;
  const program = join('bin', BROWSER);
  const entry = await ensureBundle(
    {
      name: 'chromium',
      version: ENTRY,
      pins: PACKAGES.join(' '),
      program,
      instead: 'Install chromium, or name one with BACKSTAY_CHROMIUM.',
      make: async (staging, work) => {
        await unpackDebian({ tool: 'chromium', packages: PACKAGES, programs: [], staging }, work);
        await onlyWhatRuns(staging, WITH_FONTS);
        await writeScript(staging);
        if ((await probeVersion(join(staging, program), VERSION)) === undefined)
          throw new BackstayError('TOOL_BUILD_FAILED', 'the Chromium of this machine’s Debian does not run here');
      },
    },
    options,
  );
  return join(entry, program);
}

/** Finds libraries and fonts from where it lies itself: the folder is moved when it is published. */
async function writeScript(staging: string): Promise<void> {
  const place = PLACES.find((folder) => existsSync(join(staging, 'root', folder, BROWSER)));
  if (place === undefined) throw new BackstayError('TOOL_BUILD_FAILED', `the package has no ${BROWSER}`);
  await writePrograms(staging, {
    [BROWSER]: `#!/bin/sh
here=$(cd -- "$(dirname -- "$0")/.." && pwd)
for folder in "$here"/root/usr/lib/*-linux-gnu*; do libraries=$folder; done
export LD_LIBRARY_PATH="$libraries:$libraries/pulseaudio\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
export FONTCONFIG_FILE="$here/fonts.conf" FONTCONFIG_ROOT="$here"
exec "$here/root/${place}/${BROWSER}" "$@"
`,
  });
  // Fonts of the machine as well as our own: pages are to look the same where there are none.
  await writeFile(
    join(staging, 'fonts.conf'),
    `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir prefix="relative">root/usr/share/fonts</dir>
  <cachedir prefix="xdg">fontconfig</cachedir>
  <alias><family>sans-serif</family><prefer><family>DejaVu Sans</family></prefer></alias>
  <alias><family>system-ui</family><prefer><family>DejaVu Sans</family></prefer></alias>
  <alias><family>monospace</family><prefer><family>DejaVu Sans Mono</family></prefer></alias>
</fontconfig>
`,
  );
}
