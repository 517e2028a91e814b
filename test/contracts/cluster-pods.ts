import { createHash, randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Cluster } from '../../src/ports/index.ts';

/** The part of a Cluster's contract that needs pods: their logs, programs in them, ways to what they serve. `here` is asked once the tests run. */
export function clusterPodsContract(here: () => { readonly cluster: Cluster; readonly namespace: string }): void {
  let cluster: Cluster;
  let namespace: string;

  beforeAll(() => {
    ({ cluster, namespace } = here());
  });

  describe('containers', () => {
    const pod = 'talker';
    const container = 'main';
    beforeAll(async () => {
      const script = "console.log('one'); console.error('two'); console.log('three'); process.exit(3)";
      await cluster.create({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: pod, namespace },
        spec: {
          restartPolicy: 'OnFailure',
          terminationGracePeriodSeconds: 0,
          containers: [{ name: container, image: 'backstay/echo:v1', command: ['node', '-e', script] }],
        },
      });
      await cluster.create({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'lasting', namespace },
        spec: { terminationGracePeriodSeconds: 0, containers: [{ name: container, image: 'backstay/echo:v1' }] },
      });
      // A restart: then there is a run before.
      await podIs('talker', ({ restartCount = 0 }) => restartCount > 0);
      await podIs('lasting', ({ state }) => state?.running !== undefined);
    });

    interface ContainerStatus {
      readonly restartCount?: number;
      readonly state?: { readonly running?: object };
    }

    async function podIs(name: string, is: (status: ContainerStatus) => boolean): Promise<void> {
      const pods = await cluster.kindOf('v1', 'Pod');
      if (pods === undefined) throw new TypeError('pods are not served');
      const stop = new AbortController();
      for await (const event of cluster.watch(pods, { namespace, name, signal: stop.signal })) {
        if (event.type === 'synced') continue;
        const { containerStatuses = [] } = (event.object['status'] ?? {}) as { containerStatuses?: ContainerStatus[] };
        if (containerStatuses.some(is)) stop.abort();
      }
    }

    it('have logs of the run before', async () => {
      const text = await cluster.logs({ namespace, pod, container, previous: true });
      expect(text.split('\n').toSorted()).toEqual(['', 'one', 'three', 'two']);
    });

    it('give the newest lines, and a time in front of each where that is wanted', async () => {
      const text = await cluster.logs({ namespace, pod, container, previous: true, tailLines: 1, timestamps: true });
      expect(text).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z (one|two|three)\n$/);
    });

    it('give the lines since a time', async () => {
      const sinceTime = new Date(Date.now() + 3_600_000).toISOString();
      await expect(cluster.logs({ namespace, pod, container, previous: true, sinceTime })).resolves.toBe('');
    });

    it('give no more bytes than are wanted', async () => {
      const text = await cluster.logs({ namespace, pod, container, previous: true, limitBytes: 5 });
      expect(Buffer.byteLength(text)).toBe(5);
    });

    it('that are not there have none, and it is said which', async () => {
      await expect(cluster.logs({ namespace, pod, container: 'nobody' })).rejects.toMatchObject({
        code: 'OBJECT_REFUSED',
        message: expect.stringContaining('nobody'),
      });
      await expect(cluster.logs({ namespace, pod: 'lasting', container, previous: true })).rejects.toMatchObject({
        code: 'OBJECT_REFUSED',
        message: expect.stringContaining('previous'),
      });
    });

    it('run a program, and tell its exit code and what it said', async () => {
      const script = "console.log('out'); console.error('err'); process.exit(4)";
      const command = ['node', '-e', script];
      await expect(cluster.exec({ namespace, pod: 'lasting', container, command })).resolves.toEqual({
        exitCode: 4,
        stdout: 'out\n',
        stderr: 'err\n',
      });
      const fine = await cluster.exec({ namespace, pod: 'lasting', container, command: ['node', '-e', ''] });
      expect(fine).toEqual({ exitCode: 0, stdout: '', stderr: '' });
    });

    it('feed a program what it reads, and give what it writes, whatever its size', async () => {
      const piece = Buffer.from(Array.from({ length: 2 ** 16 }, (_, n) => n % 251));
      const pieces = 48;
      const stdin = (async function* () {
        for (let sent = 0; sent < pieces; sent += 1) yield await Promise.resolve(piece);
      })();
      const [sum, wanted] = [createHash('sha256'), createHash('sha256')];
      for (let sent = 0; sent < pieces; sent += 1) wanted.update(piece);
      let bytes = 0;
      const onStdout = (chunk: Uint8Array): void => {
        sum.update(chunk);
        bytes += chunk.length;
      };
      const command = ['sh', '-c', 'head -c "$1"; echo enough >&2', 'sh', String(pieces * piece.length)];
      const result = await cluster.exec({ namespace, pod: 'lasting', container, command, stdin, onStdout });
      expect(result).toEqual({ exitCode: 0, stdout: '', stderr: 'enough\n' });
      expect(bytes).toBe(pieces * piece.length);
      expect(sum.digest('hex')).toBe(wanted.digest('hex'));
    });

    it('end with a program that does not read all that it is fed, and with a source that fails', async () => {
      const endless = (async function* () {
        for (;;) yield await Promise.resolve(Buffer.alloc(2 ** 16));
      })();
      const command = ['sh', '-c', 'head -c 10 >/dev/null; exit 3'];
      const result = await cluster.exec({ namespace, pod: 'lasting', container, command, stdin: endless });
      expect(result.exitCode).toBe(3);
      const failing = (async function* () {
        yield await Promise.resolve(Buffer.from('a'));
        throw new TypeError('the file is gone');
      })();
      const reading = ['sh', '-c', 'head -c 10'];
      const asked = cluster.exec({ namespace, pod: 'lasting', container, command: reading, stdin: failing });
      await expect(asked).rejects.toThrow('the file is gone');
    });

    it('tell a program that they do not have by 126 or 127', async () => {
      const { exitCode } = await cluster.exec({ namespace, pod: 'lasting', container, command: ['no-such-program'] });
      expect([126, 127]).toContain(exitCode);
    });

    it('that do not run cannot run a program, and the call says so', async () => {
      const asked = cluster.exec({ namespace, pod: 'nobody', container, command: ['true'] });
      await expect(asked).rejects.toMatchObject({ code: 'EXEC_UNAVAILABLE', details: { pod: 'nobody' } });
    });

    it('end what they run when the signal fires', async () => {
      const inside = { namespace, pod: 'lasting', container };
      // By its title, which the kernel cuts to 15 bytes; the program that looks for it has another.
      const title = `s-${randomUUID().slice(0, 12)}`;
      const sleeper = `process.title = '${title}'; console.log('asleep'); setInterval(() => {}, 1000)`;
      const looker = `
        const fs = require('node:fs');
        const titleOf = (pid) => { try { return fs.readFileSync('/proc/' + pid + '/comm', 'utf8').trim() } catch { return '' } };
        console.log(fs.readdirSync('/proc').filter((pid) => titleOf(pid) === '${title}').length)`;
      const asleep = async (): Promise<string> =>
        (await cluster.exec({ ...inside, command: ['node', '-e', looker] })).stdout.trim();
      const stop = new AbortController();
      const began = Promise.withResolvers<void>();
      const command = ['node', '-e', sleeper];
      const asked = cluster.exec({ ...inside, command, signal: stop.signal, onStdout: () => began.resolve() });
      await began.promise;
      expect(await asleep()).toBe('1');
      stop.abort();
      await expect(asked).rejects.toMatchObject({ name: 'AbortError' });
      await expect.poll(asleep, { timeout: 30_000 }).toBe('0');
    });
  });

  describe('reaching into the cluster', () => {
    it('says ENDPOINT_UNREACHABLE for a Service that is not there', async () => {
      const asked = cluster.proxy({ namespace, service: 'nobody', port: 80, method: 'GET', path: '/health' });
      await expect(asked).rejects.toMatchObject({ code: 'ENDPOINT_UNREACHABLE' });
    });

    it('says ENDPOINT_UNREACHABLE for a Service without endpoints', async () => {
      await cluster.create({
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'empty', namespace },
        spec: { selector: { app: 'nobody' }, ports: [{ port: 80 }] },
      });
      const asked = cluster.proxy({ namespace, service: 'empty', port: 80, method: 'GET', path: '/' });
      await expect(asked).rejects.toMatchObject({
        code: 'ENDPOINT_UNREACHABLE',
        message: expect.stringContaining('services/empty port 80'),
      });
    });

    it('opens no port that would lead nowhere', async () => {
      const to = (service: string, port: number): Promise<unknown> => cluster.forward({ namespace, service, port });
      await expect(to('nobody', 80)).rejects.toMatchObject({ code: 'ENDPOINT_UNREACHABLE' });
      await expect(to('empty', 80)).rejects.toThrow('none of its pods is ready');
      await expect(to('empty', 81)).rejects.toThrow('it has no port 81');
    });
  });
}
