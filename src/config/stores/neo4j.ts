import { z } from 'zod';
import type { DataStoreSetting, ForeignField, Neo4jServer, Neo4jStoreSetting } from '../../model/index.ts';
import { duration, flag, isOn, milliseconds, namespace, text, textList } from '../fields.ts';
import { toPattern } from '../pattern.ts';
import { common, type Place, placed, server } from './common.ts';

const words = textList.refine((list) => list.length > 0, { error: 'a program and its arguments' });

const local = z
  .strictObject(
    { home: text, conf: text.exactOptional(), stop: words, start: words },
    { error: '{home, stop, start, conf?}' },
  )
  .describe('A server of this machine: its home, and the commands that stop and start it.');

const workload = z
  .strictObject(
    {
      name: text
        .regex(/^(StatefulSet|Deployment)\/[^/]+$/, { error: 'StatefulSet/NAME or Deployment/NAME' })
        .describe('Scaled to zero while it is dumped or exchanged, and back.'),
      namespace: namespace.exactOptional(),
      container: text.exactOptional(),
      mount: text.default('/data').describe('Where its data volume is mounted.'),
      files: z
        .literal('pod')
        .exactOptional()
        .describe(
          'Reach its files by a Job with its image and its volume, even where that is a folder of this machine.',
        ),
    },
    { error: '{name: KIND/NAME, namespace?, container?, mount?, files?: pod}' },
  )
  .describe(
    'A server in the cluster, whose data is in a persistent volume claim or a folder that this machine can reach.',
  );

export const neo4jStore = z
  .strictObject(
    {
      ...common,
      kind: z.literal('neo4j'),
      connection: z.strictObject(
        { ...server, database: text.default('neo4j'), tls: flag.exactOptional() },
        { error: '{host, port or via, database?, user, password, tls}' },
      ),
      local: local.exactOptional(),
      workload: workload.exactOptional(),
      tools: z
        .strictObject({ admin: words, console: words }, { error: '{admin: [neo4j-admin], console: [neo4j, console]}' })
        .exactOptional()
        .describe("Neo4j's own programs. Default: those on PATH, else they are fetched."),
      timeLimit: duration.default('30m').describe('Of one dump, load, check, stop or start.'),
    },
    { error: '{name, kind, connection, local or workload, tables?, writers?, tools?, timeLimit?}' },
  )
  .refine(({ local: here, workload: there }) => here === undefined || there === undefined, {
    error: 'either local or workload',
  });

export function toNeo4jStore(
  { connection, local: here, workload: there, timeLimit, tools, ...rest }: z.output<typeof neo4jStore>,
  place: Place,
): Neo4jStoreSetting {
  const { tls, ...others } = placed(connection, place);
  const at = serverOf(here, there, place);
  return {
    ...rest,
    writers: rest.writers.map(toPattern),
    connection: { ...others, ...(tls === undefined ? {} : { tls: isOn(tls) }) },
    ...(at === undefined ? {} : { server: at }),
    ...(tools === undefined ? {} : { tools }),
    limitMs: milliseconds(timeLimit),
  };
}

function serverOf(
  here: z.output<typeof local> | undefined,
  there: z.output<typeof workload> | undefined,
  place: Place,
): Neo4jServer | undefined {
  if (here !== undefined) {
    const { home, conf, ...commands } = here;
    const folders = { home: place.path(home), ...(conf === undefined ? {} : { conf: place.path(conf) }) };
    return { kind: 'local', ...folders, ...commands };
  }
  if (there === undefined) return undefined;
  const { name, ...rest } = there;
  const [kind, workloadName = ''] = name.split('/');
  return {
    kind: 'workload',
    workload: { kind: kind === 'Deployment' ? kind : 'StatefulSet', name: workloadName },
    ...rest,
  };
}

/**
 * Which database a server in the cluster serves is an environment variable that an exchange writes: what a snapshot says of
 * it does not count, or the next roll-out would bring the former data back.
 */
export function pointersOf(stores: readonly DataStoreSetting[]): readonly ForeignField[] {
  return stores.flatMap((store) => {
    const at = store.kind === 'neo4j' ? store.server : undefined;
    if (at?.kind !== 'workload') return [];
    const containers = at.container === undefined ? 'containers[0]' : `containers[name=${at.container}]`;
    const path = `spec.template.spec.${containers}.env[name=NEO4J_initial_dbms_default__database]`;
    return [{ ...at.workload, path }];
  });
}
