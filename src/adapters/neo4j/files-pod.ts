import { randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { BackstayError, isOutOfRoom } from '../../errors/index.ts';
import type { ExecResult } from '../../ports/index.ts';
import { type AdminOptions, type Dumped, load } from './admin.ts';
import { withFolder } from './folders.ts';
import type { Files } from './files.ts';
import { DATA, type Helper } from './helper.ts';
import { lastLines } from './process.ts';
import { withScratch } from './scratch.ts';

/** Bytes of a dump that may wait for this machine's disk: the protocol cannot be told to wait. */
const MOST_WAITING = 2 ** 28;

const HAS = `[ -d "$${DATA}/databases/$1" ]`;

/** Out of its place by a rename first: what is cut off then is no half database. Exit code 3: there was none. */
const REMOVE = `
going=.backstay-going-$2 found=3
for parent in "$${DATA}/databases" "$${DATA}/transactions"; do
  if [ -d "$parent/$1" ]; then mv "$parent/$1" "$parent/$going" && found=0 || exit 1; fi
  rm -rf "$parent"/.backstay-going-* || exit 1
done
exit $found
`.trim();

const DUMP = 'exec neo4j-admin database dump "$1" --to-stdout';

/** The stream has no end of its own. What root loads becomes the property of whoever owns the other databases. */
const LOAD = `
head -c "$2" | neo4j-admin database load "$1" --from-stdin || exit
if [ "$(id -u)" = 0 ]; then
  exec chown -R --reference="$${DATA}/databases" "$${DATA}/databases/$1" "$${DATA}/transactions/$1"
fi
`.trim();

const CHECK = `
report=$(mktemp -d) || exit 1
neo4j-admin database check "$1" --report-path="$report"; code=$?
rm -rf "$report"
exit $code
`.trim();

/** In a volume that only pods reach: Neo4j's programs run beside it, and dumps come and go through the API server. */
export function podFiles(helper: Helper): Files {
  const failed = ({ exitCode, stdout, stderr }: ExecResult, what: string): BackstayError => {
    const why = lastLines(`${stdout}\n${stderr}`) || `exit code ${exitCode}`;
    const claim = `persistentvolumeclaim/${helper.claim}`;
    if (isOutOfRoom(new Error(`${stdout}\n${stderr}`)))
      return new BackstayError('VOLUME_FULL', `no room is left on the volume of ${claim}: ${why}`, {
        next: 'Make that volume larger: a restore needs as much again as the graph has. The live graph is as it was.',
        details: { claim: helper.claim },
      });
    return new BackstayError('STORE_FAILED', `${what} in the volume of ${claim}: ${why}`, { details: { exitCode } });
  };
  const signalOf = ({ signal }: AdminOptions) => (signal === undefined ? {} : { signal });

  const dump: Files['dump'] = async (admin, database, folder) => {
    const file = join(folder, `${database}.dump`);
    const result = await received(`${file}.partial`, async (onStdout) => {
      return await helper.run(DUMP, [database], { onStdout, ...signalOf(admin) });
    });
    if (result.exitCode === 0 && (await stat(`${file}.partial`)).size > 0) {
      await rename(`${file}.partial`, file);
      return 'done';
    }
    await rm(`${file}.partial`, { force: true });
    const outcome = outcomeOf(result);
    if (outcome === undefined) throw failed(result, 'neo4j-admin database dump');
    return outcome;
  };
  return {
    has: async (database) => (await helper.run(HAS, [database])).exitCode === 0,
    remove: async (database) => {
      const result = await helper.run(REMOVE, [database, randomBytes(4).toString('hex')]);
      if (result.exitCode !== 0 && result.exitCode !== 3) throw failed(result, `${database} could not be removed`);
      return result.exitCode === 0;
    },
    dump,
    load: async (admin, file, database) => {
      const { size } = await stat(file);
      const result = await helper.run(LOAD, [database, String(size)], {
        stdin: createReadStream(file) as AsyncIterable<Buffer>,
        ...signalOf(admin),
      });
      if (result.exitCode !== 0) throw failed(result, 'neo4j-admin database load');
    },
    fault: async (admin, database) => {
      const { exitCode, stdout, stderr } = await helper.run(CHECK, [database], signalOf(admin));
      return exitCode === 0 ? undefined : lastLines(`${stdout}\n${stderr}`) || `exit code ${exitCode}`;
    },
    ask: async (admin, database, work) =>
      await withFolder(async (folder) => {
        const outcome = await dump(admin, database, folder);
        if (outcome !== 'done')
          throw new BackstayError('STORE_FAILED', `${database} cannot be dumped: it is ${outcome}`);
        const file = join(folder, `${database}.dump`);
        return await withScratch(admin, database, async (scratch) => await load(admin, scratch, file, database), work);
      }),
    folders: [],
  };
}

function outcomeOf({ stdout, stderr }: ExecResult): Exclude<Dumped, 'done'> | undefined {
  const said = `${stdout}\n${stderr}`;
  if (/database is in use/i.test(said)) return 'in-use';
  return /recover database/i.test(said) ? 'unrecovered' : undefined;
}

/** Writes what comes to a file of its own, for its owner alone, as fast as it comes. @throws the system's error of a full disk */
async function received(
  file: string,
  run: (onStdout: (chunk: Uint8Array) => void) => Promise<ExecResult>,
): Promise<ExecResult> {
  const into = createWriteStream(file, { mode: 0o600 });
  const written = finished(into);
  // Looked at below; nobody waits for it while the program runs.
  written.catch(() => undefined);
  try {
    const result = await run((chunk) => {
      if (into.writableLength > MOST_WAITING)
        into.destroy(new BackstayError('STORE_FAILED', `${file} cannot be written as fast as it comes`));
      if (!into.destroyed) into.write(chunk);
    });
    into.end();
    await written;
    return result;
  } catch (error) {
    into.destroy();
    throw error;
  }
}
