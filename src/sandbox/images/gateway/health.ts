import type { Call } from '../kit/call.ts';
import type { Answer } from '../kit/service.ts';
import type { Backend, GatewaySettings } from './settings.ts';

/**
 * Health of one parser as this gateway sees it. Docling is switched off, and says so with 503, while the backend is
 * another; MinerU answers for itself at any time, because it is what Docling falls back to.
 */
export async function parserHealth(parser: Backend, settings: GatewaySettings, call: Call): Promise<Answer> {
  const { backend, parsers } = settings;
  if (parser === 'docling' && backend !== 'docling') {
    return {
      status: 503,
      body: { status: 'disabled', parser, backend, reason: `PDF_PROCESSING_BACKEND is ${backend}` },
    };
  }
  const role = parser === backend ? 'active' : 'standby';
  try {
    const { status, json } = await call(`${parsers[parser]}/health`, { timeoutMs: 1500 });
    if (status === 200) return { status: 200, body: { status: 'ok', parser, backend, role } };
    return {
      status: 503,
      body: { status: 'unhealthy', parser, backend, role, reason: json?.['reason'] ?? `${parser} answered ${status}` },
    };
  } catch (error) {
    return { status: 503, body: { status: 'unreachable', parser, backend, role, reason: messageOf(error) } };
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
