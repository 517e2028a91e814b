import { describe, expect, it } from 'vitest';
import { databasesOf, insideOf, namesOf } from '../../src/actions/doctor-inside.ts';
import { BackstayError } from '../../src/errors/index.ts';
import { keyOf } from '../../src/model/index.ts';
import type { Cluster, ExecOptions, ExecResult, HttpAnswer } from '../../src/ports/index.ts';
import { aDeployment, aPod, fakeCluster } from '../hooks/fake-cluster.ts';
import { configMap, secret } from '../support/snapshots.ts';
import { stackOf } from '../support/stack.ts';

const stack = stackOf('production');
const service = (name: string) => ({ apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: 'production' } });

describe('what is asked from inside', () => {
  it('is what connection strings name, wherever they stand, without their passwords', () => {
    const objects = [
      secret('db', { URL: 'postgresql+psycopg://kg:s3cret@db.data.svc/kg' }),
      configMap('app', { CACHE: 'redis://cache:6380/0', GRAPH: 'bolt://graph', PAGE: 'https://example.com' }),
      aDeployment('gateway', { spec: { env: 'amqp://queue' } }),
    ];
    expect(databasesOf(stack, objects)).toEqual([
      { name: 'postgresql db.data.svc:5432', host: 'db.data.svc', port: 5432 },
      { name: 'redis cache:6380', host: 'cache', port: 6380 },
      { name: 'bolt graph:7687', host: 'graph', port: 7687 },
      { name: 'amqp queue:5672', host: 'queue', port: 5672 },
    ]);
  });

  it('is what the stack file declares, where it does', () => {
    const declared = [{ name: 'main', host: 'db', port: 5432 }];
    const own = stackOf('production', { doctor: { hosts: ['api.example'], databases: declared } });
    expect(databasesOf(own, [configMap('app', { CACHE: 'redis://cache' })])).toEqual(declared);
    expect(
      namesOf(own, ['a', 'b', 'c', 'd'].map(service), [{ name: 'x', host: '10.0.0.1', port: 1 }, ...declared]),
    ).toEqual(['api.example', 'db', 'a.production.svc', 'b.production.svc', 'c.production.svc']);
  });
});

describe('asking', () => {
  const gateway = aDeployment('gateway');
  const pod = {
    ...aPod('gateway-1', 'gateway', '1', 'g:1'),
    status: { containerStatuses: [{ name: 'main', state: { running: {} } }] },
  };
  const inventory = { pods: new Map([[keyOf(gateway), [pod]]]), live: new Map([[keyOf(gateway), gateway]]) };
  const signal = new AbortController().signal;
  type Exec = (options: ExecOptions) => ExecResult;
  const asking = (exec: Exec, proxy?: () => HttpAnswer) => {
    const cluster: Cluster = {
      ...fakeCluster(proxy === undefined ? {} : { proxy }),
      exec: async (options) => exec(options),
    };
    const inside = insideOf(cluster, stack, inventory, signal);
    if (inside === undefined) throw new TypeError('there is a pod');
    return inside;
  };
  const ended = (exitCode: number, stderr = ''): ExecResult => ({ exitCode, stdout: '', stderr });

  it('uses the first program that a container has, and remembers which', async () => {
    const tried: string[] = [];
    const inside = asking(({ command }) => {
      tried.push(command[0] ?? '');
      return ended(command[0] === 'getent' ? 0 : 127);
    });
    await expect(inside.resolves('db')).resolves.toMatchObject({ name: 'db', reached: true });
    await inside.resolves('other');
    expect(tried).toEqual(['node', 'getent', 'getent']);
  });

  it('never puts a name into the text of a script', async () => {
    const inside = asking(({ command }) => {
      expect(command.filter((word) => word.includes('db.example'))).toEqual(['db.example']);
      return ended(127);
    });
    await inside.resolves('db.example');
    await inside.connects({ name: 'x', host: 'db.example', port: 1 });
  });

  it('tells no from nobody knows', async () => {
    const no = asking(() => ended(2, 'trace\nENOTFOUND\n'));
    await expect(no.resolves('db')).resolves.toEqual({
      name: 'db',
      reached: false,
      said: 'does not answer pod gateway-1: ENOTFOUND',
    });
    const nothing = asking(() => ended(127));
    await expect(nothing.resolves('db')).resolves.toMatchObject({ reached: 'unknown' });
    const refused = asking(() => {
      throw new BackstayError('EXEC_UNAVAILABLE', 'not allowed');
    });
    await expect(refused.resolves('db')).resolves.toEqual({ name: 'db', reached: 'unknown', said: 'not allowed' });
  });

  it.each([
    ['net/http: HTTP/1.x transport connection broken: malformed HTTP response', true],
    ['dial tcp 10.0.0.1:5432: connect: connection refused', false],
    ['no endpoints available for service "db"', false],
    ['something else', 'unknown'],
  ])('goes through the API server where no pod can be asked: %s', async (message, reached) => {
    const inside = asking(
      () => ended(127),
      () => {
        throw new BackstayError('ENDPOINT_UNREACHABLE', message);
      },
    );
    await expect(inside.connects({ name: 'db', host: 'db', port: 5432 })).resolves.toMatchObject({ reached });
    // An address outside of the cluster is no Service.
    const outside = { name: 'x', host: 'db.eu.example.com', port: 5432 };
    await expect(inside.connects(outside)).resolves.toMatchObject({ reached: 'unknown' });
  });

  it('needs a pod that runs', () => {
    const none = { ...inventory, pods: new Map([[keyOf(gateway), []]]) };
    expect(insideOf(fakeCluster(), stack, none, signal)).toBeUndefined();
  });
});
