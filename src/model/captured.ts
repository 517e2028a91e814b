import type { KubeObject } from './object.ts';
import type { ForeignField } from './stack.ts';

/** PLACEHOLDER SIGNATURE, owned by the kubernetes helper: see ports. */
export function capturedForm(object: KubeObject, _foreign: readonly ForeignField[] = []): KubeObject {
  return object;
}
