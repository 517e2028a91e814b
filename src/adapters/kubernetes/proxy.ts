import { BackstayError } from '../../errors/index.ts';
import type { HttpAnswer, ProxyRequest } from '../../ports/index.ts';
import { failureOf, statusOf } from './failures.ts';
import type { Transport } from './transport.ts';

/**
 * A request through the API server to a Service or a pod. What the program behind answers is the answer, whatever its
 * status. What the API server itself says instead is an error: 401 and 403 as everywhere, and ENDPOINT_UNREACHABLE when
 * there is no such Service, no ready endpoint, or nothing listens.
 */
export async function proxied(transport: Transport, request: ProxyRequest): Promise<HttpAnswer> {
  const [resource, name] = request.pod === undefined ? ['services', request.service ?? ''] : ['pods', request.pod];
  const target = `${encodeURIComponent(name)}:${request.port}`;
  const path = request.path.startsWith('/') ? request.path : `/${request.path}`;
  const ask = {
    verb: 'proxy to',
    subject: `${resource}/${name}`,
    namespace: request.namespace,
    method: request.method,
    path: `/api/v1/namespaces/${encodeURIComponent(request.namespace)}/${resource}/${target}/proxy${path}`,
    headers: { accept: '*/*', ...request.headers },
    ...(request.body === undefined ? {} : { body: request.body }),
    signal: request.signal,
    passedOn: true as const,
  };
  const answer = await transport.exchange(ask);
  if (answer.status >= 400) {
    const status = statusOf(answer.text);
    const ours = status !== undefined && status.code === answer.status;
    if (ours && (answer.status === 401 || answer.status === 403))
      throw failureOf(transport.asked(ask), answer.status, answer.text);
    const unreached = /^error trying to reach service: /i.exec(answer.text) !== null;
    if (ours || unreached) {
      const why = status?.message ?? answer.text.trim();
      throw new BackstayError(
        'ENDPOINT_UNREACHABLE',
        `${resource}/${name} port ${request.port} in ${request.namespace} does not answer: ${why}`,
        {
          details: {
            status: answer.status,
            service: request.service,
            pod: request.pod,
            namespace: request.namespace,
            port: request.port,
          },
          next: `Look whether ${resource}/${name} in ${request.namespace} has ready endpoints.`,
        },
      );
    }
  }
  return { status: answer.status, headers: answer.headers, body: answer.text };
}
