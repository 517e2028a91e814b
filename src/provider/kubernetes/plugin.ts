import { BackstayError } from '../../errors/index.ts';
import {
  canonicalJson,
  capturedForm,
  type JsonObject,
  type KubeObject,
  keyOf,
  type ObjectKey,
  refOf,
} from '../../model/index.ts';
import type { Marked } from '../codec.ts';
import { NotReadyError, type Outputs, type Plugin } from '../plugin.ts';
import { bring, type Brought } from './bring.ts';
import { OUR_MANAGER } from './managed-fields.ts';
import {
  idOf,
  objectOf,
  outputSecrets,
  outputsOf,
  recordedManager,
  requireName,
  said,
  secretPaths,
  unservedType,
} from './object.ts';
import { foresee } from './prediction.ts';
import { previewed } from './preview.ts';
import { isAwaited, untilReady } from './readiness.ts';
import { remove } from './remove.ts';
import { isProtected, type Session } from './session.ts';

/** The npm SDK whose types this serves; the engine asks, and nothing hangs on it. */
export const VERSION = '4.34.2';
const inPlace = { replaces: [], deleteFirst: false } as const;

/**
 * The `kubernetes` package over one cluster connection. Pulumi's state is only an index here: what a diff says comes from
 * the live object, a creation takes over what is there, an update makes again what is missing.
 */
export function kubernetesPlugin(session: Session): Plugin {
  return {
    name: 'kubernetes',
    version: VERSION,

    async check({ urn, type, news }) {
      const object = objectOf(news.value, type);
      const inputs: Outputs = { ...news, secrets: secretPaths(object.kind, news.secrets) };
      const unserved = unservedType(type);
      if (unserved !== undefined)
        return { inputs, failures: [{ property: '', reason: `${unserved}; set \`provider: official\` to use it` }] };
      if (news.unknowns.length === 0 && typeof object.metadata.name !== 'string') {
        return {
          inputs,
          failures: [
            { property: 'metadata.name', reason: 'is missing: an object without a fixed name cannot be found again' },
          ],
        };
      }
      session.registered.set(keyOf(object), urn);
      return { inputs, failures: [] };
    },

    async diff({ urn, type, news }) {
      const target = objectOf(news.value, type);
      const key = keyOf(target);
      return await noting(session, key, async () => {
        if (news.unknowns.length > 0) return { changed: true, properties: [], ...inPlace };
        const unchanged = { changed: false, properties: [], ...inPlace };
        if (!session.may(key, 'update')) {
          session.note(key, { action: 'unchanged' });
          return unchanged;
        }
        const { live, prediction } = await foresee(session, target);
        if (live === undefined || prediction === undefined)
          return { changed: true, properties: ['metadata'], ...inPlace };
        const { foreign } = session.options;
        if (prediction.kind === 'equal') {
          session.note(key, { action: 'unchanged' });
          return unchanged;
        }
        if (prediction.kind === 'different') {
          const properties = differing(capturedForm(live, foreign), capturedForm(prediction.result, foreign));
          return { changed: true, properties, ...inPlace };
        }
        // The refusal to replace is worded where the replacement would happen, so that it is the same without a state.
        if (!session.may(key, 'replace')) return { changed: true, properties: prediction.fields, ...inPlace };
        session.replacing.set(key, live);
        session.progress(key, urn, 'waiting', `${said(target)} must be deleted and made again: ${prediction.reason}`);
        return { changed: true, properties: prediction.fields, replaces: prediction.fields, deleteFirst: true };
      });
    },

    async create({ urn, type, inputs, preview, signal }) {
      const target = objectOf(inputs.value, type);
      const answer = (value: KubeObject | JsonObject, manager: string): { id: string; outputs: Outputs } => ({
        id: idOf(target),
        outputs: outputs(value as KubeObject, inputs, manager, target),
      });
      return await noting(session, keyOf(target), async () => {
        if (preview) return answer(await previewed(session, target, inputs, OUR_MANAGER), OUR_MANAGER);
        requireName(target);
        if (!session.may(keyOf(target), 'create')) return answer(await untouched(session, target), OUR_MANAGER);
        const brought = await bring(session, { urn, target, manager: OUR_MANAGER, signal });
        const object =
          brought.action === 'unchanged'
            ? brought.object
            : await awaited(session, urn, target, brought, inputs, OUR_MANAGER, signal);
        finish(session, urn, target, brought);
        return answer(object, OUR_MANAGER);
      });
    },

    async read({ type, state, inputs }) {
      const object = objectOf(Object.keys(state.value).length > 0 ? state.value : inputs.value, type);
      requireName(object);
      const live = await session.cluster.get(refOf(object));
      if (live === undefined) return undefined;
      // An import has no inputs yet: what the object is, is what is asked for.
      const imported = Object.keys(inputs.value).length === 0;
      const own: Marked = imported
        ? { ...inputs, value: capturedForm(live, session.options.foreign) as unknown as JsonObject }
        : inputs;
      return {
        outputs: outputs(live, own, recordedManager(state.value) ?? OUR_MANAGER, live),
        inputs: { value: own.value, secrets: secretPaths(live.kind, own.secrets) },
      };
    },

    async update({ urn, type, olds, news, preview, signal }) {
      const target = objectOf(news.value, type);
      const manager = recordedManager(olds.value) ?? OUR_MANAGER;
      return await noting(session, keyOf(target), async () => {
        if (preview) return outputs(await previewed(session, target, news, manager), news, manager, target);
        if (!session.may(keyOf(target), 'update'))
          return outputs(await untouched(session, target), news, manager, target);
        const brought = await bring(session, { urn, target, manager, signal });
        const object = await awaited(session, urn, target, brought, news, manager, signal);
        finish(session, urn, target, brought);
        return outputs(object, news, manager, target);
      });
    },

    async delete({ urn, type, state, signal }) {
      const object = objectOf(state.value, type);
      const key = keyOf(object);
      return await noting(session, key, async () => {
        const refusal = whyKept(session, urn, key);
        if (refusal !== undefined) {
          session.warn(urn, `${said(object)} is left as it is: ${refusal}`);
          if (!session.registered.has(key)) session.note(key, { action: 'kept' });
          return;
        }
        await remove(session, { urn, object, signal });
        session.note(key, { action: session.replacing.has(key) ? 'replaced' : 'deleted' });
        session.progress(key, urn, 'done', `${said(object)} is gone`);
      });
    },
  };
}

/** Why an object that Pulumi wants deleted stays; undefined when it goes. */
function whyKept(session: Session, urn: string, key: ObjectKey): string | undefined {
  const { permit } = session.options;
  const registeredAs = session.registered.get(key);
  if (registeredAs !== undefined && registeredAs !== urn) return `it is registered as ${registeredAs}`;
  if (registeredAs !== undefined && session.may(key, 'replace')) return undefined;
  if (permit === undefined) return isProtected(key) ? 'it holds data or other objects, delete it by hand' : undefined;
  return permit.delete.has(key) ? undefined : 'the plan does not name it';
}

async function awaited(
  session: Session,
  urn: string,
  target: KubeObject,
  brought: Brought,
  inputs: Marked,
  manager: string,
  signal: AbortSignal,
): Promise<KubeObject> {
  session.note(keyOf(target), { action: brought.action, takenFrom: brought.takenFrom });
  if (!isAwaited(brought.object, session.options.readyTimeoutMs)) return brought.object;
  const readiness = await untilReady(session, brought.object, urn, signal);
  if (readiness.ready) return readiness.object;
  const kept: Outputs = { ...inputs, secrets: secretPaths(target.kind, inputs.secrets) };
  throw new NotReadyError(idOf(target), outputs(readiness.object, inputs, manager, target), kept, [readiness.reason]);
}

function finish(session: Session, urn: string, target: KubeObject, brought: Brought): void {
  const key = keyOf(target);
  if (!session.outcomes.has(key)) session.note(key, { action: brought.action, takenFrom: brought.takenFrom });
  const awaitedIt = isAwaited(brought.object, session.options.readyTimeoutMs) && brought.action !== 'unchanged';
  session.progress(
    key,
    urn,
    awaitedIt ? 'ready' : 'done',
    `${said(target)} ${brought.action}${awaitedIt ? ' and ready' : ''}`,
  );
}

/** An object out of the plan's scope, as it is. Not there: as it was asked for, so that the state has an entry. */
async function untouched(session: Session, target: KubeObject): Promise<KubeObject> {
  session.note(keyOf(target), { action: 'unchanged' });
  return (await session.cluster.get(refOf(target))) ?? target;
}

function outputs(live: KubeObject, inputs: Marked, manager: string, target: KubeObject): Outputs {
  return {
    value: outputsOf(live, inputs.value, manager, target.apiVersion),
    secrets: outputSecrets(live.kind, inputs.secrets),
    unknowns: inputs.unknowns,
  };
}

function differing(before: KubeObject, after: KubeObject): readonly string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names].filter((name) => canonicalJson(before[name] ?? null) !== canonicalJson(after[name] ?? null));
}

/** Keeps the error of an object for whoever started the engine: gRPC carries its text only. */
async function noting<T>(session: Session, key: ObjectKey, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    session.note(key, { action: 'failed', error });
    session.progress(
      key,
      session.registered.get(key) ?? '',
      'failed',
      error instanceof BackstayError ? `${error.message} ${error.next}` : (error as Error).message,
    );
    throw error;
  }
}
