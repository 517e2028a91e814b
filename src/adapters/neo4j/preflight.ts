import { statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import type { Backup } from '../../model/index.ts';
import type { Neo4jTools } from './admin.ts';
import { connected } from './bolt.ts';
import { serverFacts } from './contents.ts';
import { sizeOf } from './folders.ts';
import type { Server } from './server.ts';

/** Room that is asked for, in sizes of the live database: what is loaded, and a little for its logs. */
const ROOM = 1.2;

/** What would keep a restore or an exchange from its end, in words. */
export async function obstaclesTo(backup: Backup, server: Server, { version }: Neo4jTools): Promise<readonly string[]> {
  const inPlace = await server.place.obstacles();
  if (inPlace.length > 0) return inPlace;
  const { live, version: serverVersion } = await connected(await server.access(), serverFacts);
  const pointer = await server.place.look();
  const found: string[] = [];
  if (live !== pointer.live)
    found.push(`the server serves ${live}, and its configuration says ${pointer.live}: something else decides that`);
  const [then, here] = [backup.manifest.server.version, version];
  if (isNewer(then, serverVersion))
    found.push(`the backup was taken from Neo4j ${then}, and the server is ${serverVersion}`);
  if (here !== undefined && isNewer(serverVersion, here))
    found.push(`the server is Neo4j ${serverVersion}, and the programs on this machine are ${here}`);
  const grounds = await server.place.folder();
  // In a volume that only pods reach, nobody tells before it is loaded.
  if (grounds === undefined) return found;
  const wanted = Math.ceil((await sizeOf(grounds, live)) * ROOM);
  for (const folder of [grounds.databases, tmpdir()]) {
    const { bavail, bsize } = await statfs(folder);
    if (bavail * bsize < wanted) found.push(`${folder} has ${bavail * bsize} bytes free, and ${wanted} are needed`);
  }
  return found;
}

/** Whether one version is later than another by major or minor; a store of the same minor is the same store. */
function isNewer(left: string, right: string): boolean {
  const [a = 0, b = 0] = left.split('.').map(Number);
  const [c = 0, d = 0] = right.split('.').map(Number);
  return a === c ? b > d : a > c;
}
