import type { KubeObject } from '../model/index.ts';

/**
 * What an object's recorded state means. `failed`: it will not get ready by waiting. `unknown`: its state does not say,
 * such as a status that its controller has not written yet.
 */
export interface Health {
  readonly state: 'ready' | 'progressing' | 'failed' | 'unknown';
  /** One line that a person can act on. */
  readonly reason: string;
}

/** Other objects that explain a workload's state; those that are not its own are ignored. */
export interface Related {
  readonly pods?: readonly KubeObject[];
  readonly replicaSets?: readonly KubeObject[];
}

export interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
  readonly observedGeneration?: number;
}

export const ready = (reason: string): Health => ({ state: 'ready', reason });
export const progressing = (reason: string): Health => ({ state: 'progressing', reason });
export const failed = (reason: string): Health => ({ state: 'failed', reason });
export const unknown = (reason: string): Health => ({ state: 'unknown', reason });

/** A part of an object as a map; empty when it is not there. */
export function part<T extends object>(object: KubeObject, field: 'spec' | 'status'): Partial<T> {
  const value = object[field];
  return typeof value === 'object' && value !== null ? value : {};
}

export function conditionsOf(object: KubeObject): readonly Condition[] {
  const conditions = part<{ conditions: readonly Condition[] }>(object, 'status').conditions;
  return Array.isArray(conditions) ? conditions : [];
}

export function conditionOf(object: KubeObject, type: string): Condition | undefined {
  return conditionsOf(object).find((condition) => condition.type === type);
}

/** `Reason: message`, as much of it as is there. */
export function saidBy(condition: Pick<Condition, 'reason' | 'message'> | undefined, fallback: string): string {
  const said = [condition?.reason, condition?.message].filter((text) => text !== undefined && text !== '');
  return said.length > 0 ? said.join(': ') : fallback;
}

/** Whether the controller has seen the newest spec. */
export function isObserved(object: KubeObject): boolean {
  const { generation } = object.metadata;
  const observed: unknown = part<{ observedGeneration: number | string }>(object, 'status').observedGeneration;
  return generation === undefined || (observed !== undefined && Number(observed) >= generation);
}
