import { BackstayError } from '../../../errors/index.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
  readonly database: string;
}

/**
 * Where a connection URL leads, without who asks: neither user nor password may be shown anywhere.
 * @throws USAGE for what is no PostgreSQL URL, naming the variable that holds it; the text itself is never repeated.
 */
export function addressOf(url: string, variable = 'BACKSTAY_DATABASE_URL'): Address {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || !/^postgres(ql)?:$/.test(parsed.protocol)) {
    throw new BackstayError('USAGE', `${variable} is not a PostgreSQL URL`, {
      next: 'Write it as postgres://USER:PASSWORD@HOST:PORT/DATABASE, with special characters percent-encoded.',
    });
  }
  const host = parsed.searchParams.get('host') ?? decodeURIComponent(parsed.hostname).replace(/^\[(.*)\]$/, '$1');
  return {
    host: host === '' ? 'localhost' : host,
    port: Number(parsed.searchParams.get('port') ?? (parsed.port || '5432')),
    database: decodeURIComponent(parsed.pathname.slice(1)) || decodeURIComponent(parsed.username) || 'postgres',
  };
}

/** `postgres://host:port/database`, for leases, messages and people. */
export function nameOf({ host, port, database }: Address): string {
  return `postgres://${host.includes(':') ? `[${host}]` : host}:${port}/${database}`;
}
