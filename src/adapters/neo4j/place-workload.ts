import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import { BackstayError, isBackstayError } from '../../errors/index.ts';
import type { JsonObject, KubeObject, Neo4jServer, ObjectRef } from '../../model/index.ts';
import type { Cluster } from '../../ports/index.ts';
import { folderFiles } from './files.ts';
import { podFiles } from './files-pod.ts';
import { type Grounds, groundsIn } from './folders.ts';
import { type HelperOptions, refusalOf, withHelper } from './helper.ts';
import type { Place } from './place.ts';
import { podsGone } from './pods-gone.ts';
import { type Pointer, samePointer } from './record.ts';
import { dataClaim, dataFolder, type PodSpec } from './volume.ts';

/** As the official image spells `initial.dbms.default_database`. */
export const VARIABLE = 'NEO4J_initial_dbms_default__database';
/** What runs have put beside, on the workload itself: one write moves it and the variable. */
export const RECORD = 'backstay.dev/neo4j';
/** How many replicas it has when it is not stopped: whoever resumes gives them back. */
export const STOPPED = 'backstay.dev/neo4j-replicas';

const NOWHERE = 'no folder that this machine can reach, and in no claim that another pod could mount';

/** A controller writes the status of a workload at any moment, which moves its version and nothing of ours. */
const ATTEMPTS = 20;

export interface WorkloadOptions {
  readonly server: Extract<Neo4jServer, { readonly kind: 'workload' }>;
  /** Name of the database while the workload names none. */
  readonly database: string;
  readonly cluster: () => Promise<Cluster>;
  readonly namespace: string;
  readonly limitMs: number;
}

interface Workload extends KubeObject {
  readonly spec: {
    readonly replicas?: number;
    readonly selector: { readonly matchLabels?: Readonly<Record<string, string>> };
    readonly template: { readonly spec: PodSpec };
  };
}

/** A server in the cluster: scaled to zero and back, and told by a variable of its container what to serve. */
export function createWorkloadPlace(options: WorkloadOptions): Place {
  const { server, database, limitMs } = options;
  const { kind, name } = server.workload;
  const namespace = server.namespace ?? options.namespace;
  const ref: ObjectRef = { apiVersion: 'apps/v1', kind, namespace, name };

  const get = async (): Promise<Workload> => {
    const found = await (await options.cluster()).get(ref);
    if (found !== undefined) return found as Workload;
    throw new BackstayError('STORE_FAILED', `there is no ${kind} ${name} in ${namespace}`);
  };
  /** Writes what is decided on the newest version, and decides again when that moved. */
  const write = async (decide: (workload: Workload) => JsonObject | undefined): Promise<void> => {
    for (let attempt = 1; ; attempt += 1) {
      const workload = await get();
      const body = decide(workload);
      if (body === undefined) return;
      const { resourceVersion = '' } = workload.metadata;
      const { metadata, ...rest } = body as { readonly metadata?: JsonObject };
      const guarded = { ...rest, metadata: { ...metadata, resourceVersion } };
      try {
        await (await options.cluster()).patch(ref, { type: 'strategic', body: guarded });
        return;
      } catch (error) {
        if (!isBackstayError(error) || error.code !== 'OBJECT_MOVED' || attempt === ATTEMPTS) throw error;
      }
    }
  };
  const containerOf = ({ spec }: Workload): PodSpec['containers'][number] => {
    const { containers } = spec.template.spec;
    const found =
      server.container === undefined ? containers[0] : containers.find((one) => one.name === server.container);
    if (found !== undefined) return found;
    throw new BackstayError('STORE_FAILED', `${kind} ${name} has no container ${server.container ?? ''}`);
  };
  const pointerOf = (workload: Workload): Pointer => {
    const live = containerOf(workload).env?.find((one) => one.name === VARIABLE)?.value ?? database;
    const record = workload.metadata.annotations?.[RECORD];
    const known = record === undefined ? { runs: {} } : (JSON.parse(record) as Omit<Pointer, 'live'>);
    return { live, ...known };
  };
  const owner = { kind, name, namespace };
  const folderOf = async (workload: Workload): Promise<string | undefined> =>
    server.files === 'pod'
      ? undefined
      : await dataFolder(
          await options.cluster(),
          owner,
          workload.spec.template.spec,
          containerOf(workload),
          server.mount,
        );
  /** What a helper needs to reach the volume; undefined where no other pod could mount it. */
  const helperFor = async (workload: Workload): Promise<HelperOptions | undefined> => {
    const { template, selector } = workload.spec;
    const container = containerOf(workload);
    const claim = dataClaim(owner, template.spec, container, server.mount);
    if (claim === undefined) return undefined;
    const cluster = await options.cluster();
    const labels = selector.matchLabels ?? {};
    const { mount } = server;
    return { cluster, namespace, workload: name, spec: template.spec, labels, container, claim, mount, limitMs };
  };

  const inTheWayOfHelper = async (workload: Workload): Promise<readonly string[]> => {
    const helper = await helperFor(workload);
    if (helper === undefined) return [`the data of ${kind} ${name} is ${NOWHERE}`];
    const refusal = await refusalOf(helper);
    return refusal === undefined ? [] : [refusal];
  };

  return {
    folder: async (): Promise<Grounds | undefined> => {
      const folder = await folderOf(await get());
      return folder === undefined ? undefined : groundsIn(folder);
    },
    withFiles: async (work, signal) => {
      const workload = await get();
      const folder = await folderOf(workload);
      if (folder !== undefined) return await work(folderFiles(groundsIn(folder)));
      const helper = await helperFor(workload);
      if (helper !== undefined) return await withHelper(helper, async (one) => await work(podFiles(one)), signal);
      throw new BackstayError('STORE_UNSUPPORTED', `the data of ${kind} ${name} is ${NOWHERE}`, {
        next: 'Give it a persistent volume claim, or run Backstay on the node that has the folder.',
      });
    },
    look: async () => pointerOf(await get()),
    point: async (to, from) =>
      await write((workload) => {
        if (!samePointer(pointerOf(workload), from))
          throw new BackstayError('STORE_FENCED', `${kind} ${name} was pointed elsewhere meanwhile`);
        return pointing(to, containerOf(workload).name);
      }),
    stop: async (signal) => {
      await write(({ metadata, spec: { replicas = 1 } }) => {
        if (replicas === 0) return undefined;
        const known = metadata.annotations?.[STOPPED] ?? String(replicas);
        return { metadata: { annotations: { [STOPPED]: known } }, spec: { replicas: 0 } };
      });
      await podsGone(
        await options.cluster(),
        namespace,
        (await get()).spec.selector.matchLabels ?? {},
        limitMs,
        'of the graph',
        signal,
      );
    },
    start: async () =>
      await write(({ metadata, spec }) => {
        const known = metadata.annotations?.[STOPPED];
        if (known !== undefined)
          return { metadata: { annotations: { [STOPPED]: null } }, spec: { replicas: Math.max(1, Number(known)) } };
        if ((spec.replicas ?? 1) > 0) return undefined;
        throw new BackstayError('STORE_FAILED', `${kind} ${name} was scaled to zero by somebody else`, {
          next: 'Scale it up again, then try again.',
        });
      }),
    obstacles: async () => {
      const workload = await get();
      const { replicas = 1 } = workload.spec;
      const given = containerOf(workload).env?.find((one) => one.name === VARIABLE);
      const folder = await folderOf(workload);
      const writable = folder !== undefined && (await mayWrite(join(folder, 'databases')));
      return [
        ...(replicas > 1 ? [`${kind} ${name} has ${replicas} replicas, and Neo4j Community is one server`] : []),
        ...(given !== undefined && given.value === undefined
          ? [`${VARIABLE} of ${kind} ${name} comes from elsewhere (valueFrom), and cannot be set`]
          : []),
        ...(folder === undefined ? await inTheWayOfHelper(workload) : []),
        ...(folder === undefined || writable ? [] : [`${folder}/databases is not there, or may not be written`]),
      ];
    },
  };
}

function pointing({ live, ...record }: Pointer, container: string): JsonObject {
  const isEmpty = record.holder === undefined && Object.keys(record.runs).length === 0;
  const env = [{ name: VARIABLE, value: live }];
  return {
    metadata: { annotations: { [RECORD]: isEmpty ? null : JSON.stringify(record) } },
    spec: { template: { spec: { containers: [{ name: container, env }] } } },
  };
}

async function mayWrite(path: string): Promise<boolean> {
  return await access(path, constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );
}
