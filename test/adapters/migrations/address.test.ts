import { describe, expect, it } from 'vitest';
import { libpqEnvironment, wantedBy } from '../../../src/adapters/migrations/address.ts';
import type { MigrationSetting } from '../../../src/model/index.ts';

const setting = (more: Partial<MigrationSetting>): MigrationSetting => ({
  tool: 'alembic',
  runs: { kind: 'local', folder: '/x' },
  urlVariable: 'DATABASE_URL',
  irreversible: [],
  ...more,
});
const ADDRESS = {
  host: 'db.example',
  port: 5433,
  user: 'ada',
  password: 'p@ss/wörd',
  database: 'my books',
  sslmode: 'require',
};

describe('the address of a database for a migration tool', () => {
  it('is a URL whose parts are escaped', () => {
    const { variable, form } = wantedBy(setting({}));
    expect(variable).toBe('DATABASE_URL');
    const url = new URL(form.url(ADDRESS));
    expect(url.href).toBe('postgresql://ada:p%40ss%2Fw%C3%B6rd@db.example:5433/my%20books?sslmode=require');
    expect(decodeURIComponent(url.password)).toBe(ADDRESS.password);
  });

  it.each([
    [
      'a scheme of a driver',
      { urlScheme: 'postgresql+psycopg' },
      { host: 'h', database: 'd' },
      'postgresql+psycopg://h/d',
    ],
    [
      'a folder of a socket',
      {},
      { host: '/run/pg', port: 5433, user: 'a', database: 'd' },
      'postgresql://a@/d?host=%2Frun%2Fpg',
    ],
    ['an IPv6 address', {}, { host: '::1', port: 1, database: 'd' }, 'postgresql://[::1]:1/d'],
    ['nothing but a name', {}, { database: 'd' }, 'postgresql://localhost/d'],
  ] as const)('knows %s', (_what, more, address, url) => {
    expect(wantedBy(setting(more)).form.url(address)).toBe(url);
  });

  it('has no password in it for Flyway, and the limits', () => {
    const { variable, form } = wantedBy(setting({ tool: 'flyway' }));
    expect(variable).toBe('FLYWAY_URL');
    expect(form.url(ADDRESS)).toBe(
      'jdbc:postgresql://db.example:5433/my%20books?sslmode=require&ApplicationName=backstay-migrate&options=-c%20lock_timeout%3D2000',
    );
    expect(form.beside(ADDRESS)).toEqual({ FLYWAY_USER: 'ada', FLYWAY_PASSWORD: ADDRESS.password });
    expect(wantedBy(setting({ tool: 'flyway', urlVariable: 'OTHER' })).variable).toBe('OTHER');
  });

  it('stands in what libpq reads as well, with a name and the limits', () => {
    expect(libpqEnvironment(ADDRESS)).toMatchObject({
      PGPASSWORD: ADDRESS.password,
      PGDATABASE: 'my books',
      PGAPPNAME: 'backstay-migrate',
      PGOPTIONS: '-c lock_timeout=2000',
    });
    expect(Object.keys(libpqEnvironment({ database: 'd' }))).not.toContain('PGPASSWORD');
  });
});
