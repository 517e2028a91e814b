import { BackstayError } from '../../errors/index.ts';
import type { JsonObject } from '../../model/index.ts';

/** What was asked, for messages: `apply deployment/gateway in production`. */
export interface Asked {
  readonly verb: string;
  readonly server: string;
  /** Kind and name, such as `Deployment/gateway`, or a path. */
  readonly subject: string;
  readonly namespace?: string | undefined;
  readonly write: boolean;
}

/** The API server's own error document. */
export interface Status {
  readonly kind: 'Status';
  readonly message: string;
  readonly reason: string;
  readonly code: number;
  readonly details: {
    readonly name?: string;
    readonly kind?: string;
    readonly retryAfterSeconds?: number;
    readonly causes?: readonly { readonly reason?: string; readonly message?: string; readonly field?: string }[];
  };
}

export function statusOf(body: string): Status | undefined {
  if (!body.startsWith('{')) return undefined;
  try {
    return asStatus(JSON.parse(body) as JsonObject);
  } catch {
    return undefined;
  }
}

export function asStatus(value: JsonObject): Status | undefined {
  if (value['kind'] !== 'Status' || value['apiVersion'] !== 'v1') return undefined;
  const { message, reason, code, details } = value;
  return {
    kind: 'Status',
    message: typeof message === 'string' ? message : '',
    reason: typeof reason === 'string' ? reason : '',
    code: typeof code === 'number' ? code : 0,
    details: typeof details === 'object' && details !== null ? (details as Status['details']) : {},
  };
}

const where = (asked: Asked): string =>
  `${asked.subject}${asked.namespace === undefined ? '' : ` in ${asked.namespace}`}`;

/** The BackstayError that an answer of 400 or more means. */
export function failureOf(asked: Asked, code: number, body: string): BackstayError {
  const status = statusOf(body);
  const message = (status?.message || body.slice(0, 500) || `HTTP ${code}`).trim();
  const details: Record<string, unknown> = {
    status: code,
    reason: status?.reason ?? '',
    verb: asked.verb,
    subject: asked.subject,
    ...(asked.namespace === undefined ? {} : { namespace: asked.namespace }),
  };
  if (code === 401) {
    return new BackstayError(
      'CLUSTER_UNAUTHENTICATED',
      `The API server at ${asked.server} does not accept the credentials: ${message}.`,
      { details },
    );
  }
  if (code === 403) return forbidden(asked, message, details);
  if (code === 404) return notFound(asked, status, message, details);
  if (code === 409) return conflict(asked, status, message, details);
  if (code === 410)
    return new BackstayError('OBJECT_MOVED', `${where(asked)}: what was read is too old: ${message}`, { details });
  if (code === 422 && isMisfit(asked, status, message)) {
    return new BackstayError(
      'OBJECT_MOVED',
      `${where(asked)} moved since it was read: the patch does not fit it any more.`,
      { details },
    );
  }
  // An apply of a field that this server's version does not have is answered as if the server were broken.
  if (code === 500 && /failed to create typed patch object/.test(message))
    return refused(asked, status, message, details);
  if (code === 429 || code >= 500) return serverFailed(asked, code, status, message, details);
  const dryRun = /admission webhook "([^"]+)" does not support dry run/.exec(message);
  if (dryRun !== null) {
    return new BackstayError(
      'OBJECT_REFUSED',
      `${where(asked)} cannot be tried: webhook ${dryRun[1]} has side effects and refuses dry runs.`,
      {
        details: { ...details, dryRunUnsupported: dryRun[1] },
        next: `Set sideEffects of webhook ${dryRun[1]} to None or NoneOnDryRun.`,
      },
    );
  }
  return refused(asked, status, message, details);
}

function refused(
  asked: Asked,
  status: Status | undefined,
  message: string,
  details: Record<string, unknown>,
): BackstayError {
  const webhook = /admission webhook "([^"]+)"/.exec(message)?.[1];
  return new BackstayError('OBJECT_REFUSED', `The API server refused to ${asked.verb} ${where(asked)}: ${message}`, {
    details: { ...details, causes: status?.details.causes ?? [], ...(webhook === undefined ? {} : { webhook }) },
  });
}

/** RBAC names who may not do what; quota, Pod Security and webhooks answer 403 too, about the object. */
function forbidden(asked: Asked, message: string, details: Record<string, unknown>): BackstayError {
  const said = /User "([^"]*)" cannot (\S+) resource "([^"]+)"(?: in API group "([^"]*)")?/.exec(message);
  if (said === null && asked.write) return refused(asked, undefined, message, details);
  const [, user, verb = asked.verb, resource = asked.subject, group = ''] = said ?? [];
  const place = asked.namespace === undefined ? 'the cluster' : `namespace ${asked.namespace}`;
  const text =
    said === null
      ? message
      : `${user === '' ? 'An anonymous user' : `User ${user}`} may not ${verb} ${resource} in ${place}.`;
  return new BackstayError('CLUSTER_FORBIDDEN', text, {
    details: { ...details, user, verb, resource, group },
    next: `Grant ${verb} on ${group === '' ? resource : `${resource}.${group}`} in ${place}, then run it again.`,
  });
}

function notFound(
  asked: Asked,
  status: Status | undefined,
  message: string,
  details: Record<string, unknown>,
): BackstayError {
  // Asked about a Namespace itself there is no namespace around it: then it is the object that is missing.
  const within = asked.namespace !== undefined;
  if (within && status?.details.kind === 'namespaces' && status.details.name !== undefined) {
    return new BackstayError('OBJECT_REFUSED', `${where(asked)}: namespace ${status.details.name} does not exist.`, {
      details: { ...details, missingNamespace: status.details.name },
      next: `Create namespace ${status.details.name} first.`,
    });
  }
  if (status?.details.name !== undefined) {
    return new BackstayError('OBJECT_MOVED', `${where(asked)} does not exist any more.`, {
      details: { ...details, missing: true },
    });
  }
  return new BackstayError(
    'KIND_UNKNOWN',
    `The API server at ${asked.server} does not serve ${where(asked)}: ${message}`,
    { details },
  );
}

function conflict(
  asked: Asked,
  status: Status | undefined,
  message: string,
  details: Record<string, unknown>,
): BackstayError {
  const owners = (status?.details.causes ?? [])
    .filter((cause) => cause.reason === 'FieldManagerConflict')
    .map((cause) => ({
      manager: /conflict with "([^"]*)"/.exec(cause.message ?? '')?.[1] ?? '',
      field: (cause.field ?? '').replace(/^\./, ''),
    }));
  if (owners.length > 0) {
    const list = owners.map(({ manager, field }) => `${field} (${manager})`).join(', ');
    return new BackstayError('OBJECT_CONFLICT', `${where(asked)} has fields of other managers: ${list}.`, {
      details: { ...details, conflicts: owners },
      next: `Declare the field foreign in the stack file, or pass --take ${[...new Set(owners.map(({ manager }) => manager))].join(',')}.`,
    });
  }
  const exists = status?.reason === 'AlreadyExists';
  return new BackstayError(
    'OBJECT_MOVED',
    exists ? `${where(asked)} exists already.` : `${where(asked)} moved since it was read: ${message}`,
    {
      details: { ...details, exists },
    },
  );
}

function serverFailed(
  asked: Asked,
  code: number,
  status: Status | undefined,
  message: string,
  details: Record<string, unknown>,
): BackstayError {
  const webhook = /failed calling webhook "([^"]+)"/.exec(message)?.[1];
  if (webhook !== undefined) {
    return new BackstayError(
      'OBJECT_REFUSED',
      `${where(asked)} cannot be admitted, webhook ${webhook} does not answer: ${message}`,
      {
        details: { ...details, webhook },
        next: `Bring the service behind webhook ${webhook} back, or set its failurePolicy to Ignore.`,
      },
    );
  }
  const what = code === 429 ? 'is overloaded' : `failed with ${code}`;
  return new BackstayError(
    'CLUSTER_UNREACHABLE',
    `The API server at ${asked.server} ${what}: ${causesOf(status) || message}`,
    { details },
  );
}

const causesOf = (status: Status | undefined): string =>
  (status?.details.causes ?? []).flatMap((cause) => (cause.message ? [cause.message] : [])).join('; ');

/**
 * A JSON patch that does not fit the object as it is now: a `test` that did not hold, or a path that is gone. The server
 * says no more about it than this.
 */
const isMisfit = (asked: Asked, status: Status | undefined, message: string): boolean =>
  asked.verb === 'patch' &&
  causesOf(status) === '' &&
  message === 'the server rejected our request due to an error in our request';
