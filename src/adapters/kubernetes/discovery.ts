import { setTimeout as delay } from 'node:timers/promises';
import { groupOf, type JsonObject, type KubeObject } from '../../model/index.ts';
import type { ApiKind } from '../../ports/index.ts';
import type { Transport } from './transport.ts';

const AGGREGATED = ['v2', 'v2beta1']
  .map((v) => `application/json;g=apidiscovery.k8s.io;v=${v};as=APIGroupDiscoveryList`)
  .concat('application/json')
  .join(',');

/** The waits double up to this, eight seconds in all. */
const LONGEST_LAG_MS = 4_000;

interface AggregatedResource {
  readonly resource: string;
  readonly responseKind?: { readonly kind?: string };
  readonly scope: 'Namespaced' | 'Cluster';
  readonly verbs?: readonly string[];
}

interface AggregatedList {
  readonly kind: string;
  readonly items?: readonly {
    readonly metadata?: { readonly name?: string };
    readonly versions?: readonly { readonly version: string; readonly resources?: readonly AggregatedResource[] }[];
  }[];
}

interface PlainResourceList {
  readonly resources?: readonly {
    readonly name: string;
    readonly kind: string;
    readonly namespaced: boolean;
    readonly verbs: readonly string[];
  }[];
}

/** What the API server serves. Asked once; asked again when a kind is not found, for its CRD may be new. */
export class Discovery {
  readonly #transport: Transport;
  #served: Promise<readonly ApiKind[]> | undefined;
  readonly #expected = new Set<string>();

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Every listable kind, in the server's preferred version. */
  async preferred(): Promise<readonly ApiKind[]> {
    const seen = new Set<string>();
    return (await this.#all()).filter((kind) => {
      const name = `${kind.group}/${kind.kind}`;
      if (!kind.verbs.includes('list') || seen.has(name)) return false;
      seen.add(name);
      return true;
    });
  }

  async find(apiVersion: string, kind: string): Promise<ApiKind | undefined> {
    const cached = this.#served;
    const match = (all: readonly ApiKind[]): ApiKind | undefined =>
      all.find((one) => one.kind === kind && apiVersionOf(one) === apiVersion);
    const found = match(await this.#all());
    if (found !== undefined || cached === undefined) return found;
    // Whoever else missed it meanwhile has asked again already: one answer serves all.
    if (this.#served === cached) this.#served = undefined;
    const fresh = match(await this.#all());
    const name = `${groupOf(apiVersion)}/${kind}`;
    if (fresh !== undefined || !this.#expected.delete(name)) return fresh;
    // Discovery follows an established definition by some milliseconds, and no watch tells when.
    for (let wait = 25; wait <= LONGEST_LAG_MS; wait *= 2) {
      await delay(wait);
      this.#served = undefined;
      const late = match(await this.#all());
      if (late !== undefined) return late;
    }
    return undefined;
  }

  /** Tells that this connection wrote the definition of a kind, so that its first use waits until it is served. */
  expect({ kind, ...definition }: KubeObject): void {
    if (kind !== 'CustomResourceDefinition') return;
    const spec = definition['spec'] as
      | { readonly group?: string; readonly names?: { readonly kind?: string } }
      | undefined;
    this.#expected.add(`${spec?.group ?? ''}/${spec?.names?.kind ?? ''}`);
  }

  #all(): Promise<readonly ApiKind[]> {
    if (this.#served === undefined) {
      const asked = this.#discover();
      this.#served = asked;
      asked.catch(() => {
        if (this.#served === asked) this.#served = undefined;
      });
    }
    return this.#served;
  }

  async #discover(): Promise<readonly ApiKind[]> {
    const [core, groups] = await Promise.all([this.#get('/api', AGGREGATED), this.#get('/apis', AGGREGATED)]);
    const lists = await Promise.all([
      isAggregated(core) ? fromAggregated(core) : this.#plainCore(core),
      isAggregated(groups) ? fromAggregated(groups) : this.#plainGroups(groups),
    ]);
    return lists.flat();
  }

  async #plainCore(core: JsonObject): Promise<readonly ApiKind[]> {
    const versions = (core['versions'] ?? []) as readonly string[];
    return (await Promise.all(versions.map((version) => this.#plain('', version)))).flat();
  }

  async #plainGroups(list: JsonObject): Promise<readonly ApiKind[]> {
    interface Group {
      readonly name: string;
      readonly preferredVersion?: { readonly version: string };
      readonly versions: readonly { readonly version: string }[];
    }
    const groups = (list['groups'] ?? []) as unknown as readonly Group[];
    const asked = groups.flatMap((group) => {
      const first = group.preferredVersion?.version;
      const versions = group.versions.map(({ version }) => version);
      const ordered = first === undefined ? versions : [first, ...versions.filter((version) => version !== first)];
      // A group whose own server is down must not hide the others.
      return ordered.map((version) => this.#plain(group.name, version).catch(() => []));
    });
    return (await Promise.all(asked)).flat();
  }

  async #plain(group: string, version: string): Promise<readonly ApiKind[]> {
    const path = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
    const list = (await this.#get(path, 'application/json')) as unknown as PlainResourceList;
    return (list.resources ?? [])
      .filter(({ name }) => !name.includes('/'))
      .map(({ name, kind, namespaced, verbs }) => ({ group, version, kind, resource: name, namespaced, verbs }));
  }

  #get(path: string, accept: string): Promise<JsonObject> {
    return this.#transport.json<JsonObject>({ verb: 'get', subject: path, method: 'GET', path, headers: { accept } });
  }
}

export function apiVersionOf({ group, version }: Pick<ApiKind, 'group' | 'version'>): string {
  return group === '' ? version : `${group}/${version}`;
}

const isAggregated = (list: JsonObject): boolean => list['kind'] === 'APIGroupDiscoveryList';

function fromAggregated(list: JsonObject): readonly ApiKind[] {
  return ((list as unknown as AggregatedList).items ?? []).flatMap((group) =>
    (group.versions ?? []).flatMap(({ version, resources = [] }) =>
      resources.map((one) => ({
        group: group.metadata?.name ?? '',
        version,
        kind: one.responseKind?.kind ?? '',
        resource: one.resource,
        namespaced: one.scope === 'Namespaced',
        verbs: one.verbs ?? [],
      })),
    ),
  );
}
