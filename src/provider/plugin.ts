import type { JsonObject } from '../model/index.ts';
import type { Marked, Path } from './codec.ts';

/** A resource as the engine names it. `type` is its token, such as `kubernetes:apps/v1:Deployment`. */
export interface ResourceName {
  readonly urn: string;
  readonly type: string;
}

/** What comes back for a resource: its outputs and which of them are secret or not known yet. */
export interface Outputs {
  readonly value: JsonObject;
  readonly secrets?: readonly Path[];
  readonly unknowns?: readonly Path[];
}

export interface CheckAnswer {
  readonly inputs: Outputs;
  readonly failures: readonly { readonly property: string; readonly reason: string }[];
}

export interface DiffAnswer {
  readonly changed: boolean;
  /** Top-level properties that differ. */
  readonly properties: readonly string[];
  /** Properties that force a replacement. */
  readonly replaces: readonly string[];
  /** Whether the old one must go before the new one can be made, as with fixed names. */
  readonly deleteFirst: boolean;
}

/**
 * The resources of one Pulumi package, without gRPC. What these throw reaches the user as the resource's error; a
 * `NotReadyError` says that the resource stands but is not ready, and keeps it in the state.
 */
export interface Plugin {
  readonly name: string;
  /** Version of the npm SDK whose types it serves. */
  readonly version: string;
  /** Told once, with the provider resource's inputs. */
  configure?(inputs: Marked): Promise<void>;
  check(resource: ResourceName & { readonly olds: Marked; readonly news: Marked }): Promise<CheckAnswer>;
  diff(
    resource: ResourceName & { readonly id: string; readonly olds: Marked; readonly news: Marked },
  ): Promise<DiffAnswer>;
  create(
    resource: ResourceName & { readonly inputs: Marked; readonly preview: boolean; readonly signal: AbortSignal },
  ): Promise<{ readonly id: string; readonly outputs: Outputs }>;
  /** Undefined: it is gone. */
  read(
    resource: ResourceName & { readonly id: string; readonly state: Marked; readonly inputs: Marked },
  ): Promise<{ readonly outputs: Outputs; readonly inputs: Outputs } | undefined>;
  update(
    resource: ResourceName & {
      readonly id: string;
      readonly olds: Marked;
      readonly news: Marked;
      readonly preview: boolean;
      readonly signal: AbortSignal;
    },
  ): Promise<Outputs>;
  delete(
    resource: ResourceName & { readonly id: string; readonly state: Marked; readonly signal: AbortSignal },
  ): Promise<void>;
}

/** The resource exists with these outputs, but did not become ready for these reasons. */
export class NotReadyError extends Error {
  readonly id: string;
  readonly outputs: Outputs;
  readonly inputs: Outputs;
  readonly reasons: readonly string[];

  constructor(id: string, outputs: Outputs, inputs: Outputs, reasons: readonly string[]) {
    super(reasons.join('\n'));
    this.name = 'NotReadyError';
    this.id = id;
    this.outputs = outputs;
    this.inputs = inputs;
    this.reasons = reasons;
  }
}
