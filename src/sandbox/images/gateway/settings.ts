import type { Env } from '../kit/service.ts';

export type Backend = 'docling' | 'mineru';

export interface GatewaySettings {
  /** `edge`: what the Ingress reaches, users included. `documents`: the inner gateway for ingest and its control plane. */
  readonly role: 'edge' | 'documents';
  readonly backend: string;
  readonly orchestrator: string;
  readonly services: string;
  readonly parsers: Readonly<Record<Backend, string>>;
  readonly authRequired: boolean;
  /** Accepted bearer tokens; none: any token will do. */
  readonly tokens: readonly string[];
  /** How long a document may take, milliseconds. */
  readonly ingestTimeoutMs: number;
}

/** What the process environment says; read once, as a process does. */
export function gatewaySettings(env: Env): GatewaySettings {
  return {
    role: env['GATEWAY_ROLE'] === 'documents' ? 'documents' : 'edge',
    backend: env['PDF_PROCESSING_BACKEND'] ?? 'mineru',
    orchestrator: env['ORCHESTRATOR_URL'] ?? 'http://pdf-orchestrator',
    services: env['SERVICES_URL'] ?? 'http://medical-kg-rev-services',
    parsers: {
      docling: env['DOCLING_URL'] ?? 'http://docling-vlm',
      mineru: env['MINERU_URL'] ?? 'http://mineru-parser',
    },
    authRequired: env['API_AUTH'] === 'required',
    tokens: (env['API_TOKENS'] ?? '').split(',').filter((token) => token !== ''),
    ingestTimeoutMs: Number(env['INGEST_TIMEOUT_MS'] ?? 30_000),
  };
}
