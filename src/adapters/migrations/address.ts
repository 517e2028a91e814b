import type { MigrationSetting } from '../../model/index.ts';
import type { DatabaseAddress } from '../../ports/index.ts';
import type { AddressForm, Wanted } from './runner.ts';
import { APPLICATION, SERVER_OPTIONS } from './tool.ts';

/** Flyway knows no other, and its own is what people mean who name none. */
const FLYWAY = 'FLYWAY_URL';

/** How the tool of a setting is told of its database. */
export function wantedBy({ tool, urlVariable, urlScheme }: MigrationSetting): Wanted {
  if (tool !== 'flyway') return { variable: urlVariable, form: libpqForm(urlScheme ?? 'postgresql') };
  return {
    variable: urlVariable === 'DATABASE_URL' ? FLYWAY : urlVariable,
    form: jdbcForm(urlScheme ?? 'jdbc:postgresql'),
  };
}

/** What libpq reads beside any address; drivers that are built on it (psycopg, psql) take the limits from here. */
export function libpqEnvironment(address: DatabaseAddress): Readonly<Record<string, string>> {
  return known({
    PGHOST: address.host,
    PGPORT: address.port?.toString(),
    PGUSER: address.user,
    PGPASSWORD: address.password,
    PGDATABASE: address.database,
    PGSSLMODE: address.sslmode,
    PGSSLROOTCERT: address.sslrootcert,
    PGAPPNAME: APPLICATION,
    PGOPTIONS: SERVER_OPTIONS,
    PGCONNECT_TIMEOUT: '10',
  });
}

export function known(values: Readonly<Record<string, string | undefined>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const])),
  );
}

function libpqForm(scheme: string): AddressForm {
  return {
    url: (address) => `${scheme}://${userInfo(address)}${place(address, tlsOf(address))}`,
    beside: () => ({}),
    query: '',
  };
}

/** JDBC takes user and password apart from the address, and limits only within it. */
function jdbcForm(scheme: string): AddressForm {
  const limits = { ApplicationName: APPLICATION, options: SERVER_OPTIONS };
  return {
    url: (address) => `${scheme}://${place(address, { ...tlsOf(address), ...limits })}`,
    beside: ({ user, password }) => ({ FLYWAY_USER: user, FLYWAY_PASSWORD: password }),
    query: queryOf(limits),
  };
}

function userInfo({ user, password }: DatabaseAddress): string {
  if (user === undefined) return '';
  return `${encodeURIComponent(user)}${password === undefined ? '' : `:${encodeURIComponent(password)}`}@`;
}

function place({ host, port, database }: DatabaseAddress, query: Readonly<Record<string, string>>): string {
  // A folder of a Unix socket is no host of a URL: libpq takes it as a parameter.
  const socket = host?.startsWith('/') === true;
  const at = socket ? '' : (host ?? 'localhost');
  const named = at.includes(':') ? `[${at}]` : at;
  const all = queryOf({ ...(socket && host !== undefined ? { host } : {}), ...query });
  return `${named}${port === undefined || socket ? '' : `:${port}`}/${encodeURIComponent(database)}${all === '' ? '' : `?${all}`}`;
}

function tlsOf({ sslmode, sslrootcert }: DatabaseAddress): Readonly<Record<string, string>> {
  return known({ sslmode, sslrootcert });
}

function queryOf(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    .join('&');
}
