import { readFile } from 'node:fs/promises';
import { openService } from '../../compose.ts';
import { loadServiceSettings, readEnvironment } from '../../config/index.ts';
import { BackstayError } from '../../errors/index.ts';
import { createApp } from '../../http/app.ts';
import { type CertificatePair, followCertificate } from '../../http/certificate.ts';
import { REQUEST_LIMITS } from '../../http/context.ts';
import { frontOf } from '../../http/front.ts';
import { listen } from '../../http/server.ts';
import type { ServiceSettings } from '../../model/index.ts';
import { localPrincipal, refuseOpen } from '../../service/access/exposure.ts';
import { createGate } from '../../service/access/prove.ts';
import { listTokens } from '../../service/access/tokens.ts';
import type { Log } from '../../service/log.ts';
import { LOOPS, runLoops } from '../../service/loops.ts';
import type { CommandRun, Invocation } from '../commands.ts';
import { buildPage } from '../page-build.ts';
import { textOf } from '../plan-options.ts';

/** Milliseconds that answers under way have when the service ends. Streams end at once; runs go on in their processes. */
const GRACE_MS = 10_000;

/** Serves until SIGTERM or Ctrl-C. @throws SERVICE_OPEN, SERVICE_INVALID, LISTEN_FAILED */
export const serve: CommandRun = async (invocation) => {
  const { terminal, options, globals } = invocation;
  const { env, cwd } = terminal;
  const [file, address] = [textOf(options['config']), textOf(options['listen'])];
  const settings = await loadServiceSettings({
    env,
    cwd,
    ...(file === undefined ? {} : { file }),
    ...(address === undefined ? {} : { listen: address }),
  });
  const log = jsonLog(invocation);
  const service = await openService({
    env,
    cwd,
    ...(globals.kubeconfig === undefined ? {} : { kubeconfig: globals.kubeconfig }),
    ...(globals.context === undefined ? {} : { context: globals.context }),
    onWarning: (message) => log({ level: 'warn', event: 'warning', message }),
  });
  const stopping = stopped(invocation.process);
  try {
    const tokens = (await listTokens(service)).length;
    refuseOpen(settings, tokens);
    const local = localPrincipal(settings, tokens, readEnvironment(env, cwd).user);
    const gate = createGate({ oidc: settings.oidc, ...(local === undefined ? {} : { local }) }, service);
    const { requestsPerMinute: perMinute, streams } = settings.limits;
    const limits = { ...REQUEST_LIMITS, perMinute, streams };
    const files = settings.tls;
    const tls = files === undefined ? undefined : await pairIn(files);
    const listening = await listen({ ...settings.listen, ...(tls === undefined ? {} : { tls }) }, (port) =>
      createApp({ service, gate, log, stopping: stopping.signal, front: frontOf(settings, port), limits }),
    );
    const { url, renew: use } = listening;
    terminal.result('Serving', { url }, () => `backstay serves at ${url}/`);
    log({ level: 'info', event: 'listening', url, access: local === undefined ? 'proven' : 'local' });
    void buildPage(log, stopping.signal);
    const loops = runLoops(LOOPS, { ...service, settings, log }, stopping.signal);
    if (files !== undefined && tls !== undefined && use !== undefined)
      void followCertificate(
        tls,
        { read: async () => await pairIn(files), use, clock: service.clock, log },
        stopping.signal,
      );
    await stopping.asked;
    log({ level: 'info', event: 'stopping' });
    await Promise.all([listening.close(GRACE_MS), loops]);
    return 0;
  } finally {
    stopping.release();
    await service.close();
  }
};

async function pairIn({ cert, key }: NonNullable<ServiceSettings['tls']>): Promise<CertificatePair> {
  const [certText, keyText] = await Promise.all([readable(cert), readable(key)]);
  return { cert: certText, key: keyText };
}

async function readable(file: string): Promise<string> {
  return await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new BackstayError(
      'SERVICE_INVALID',
      `${file}, which tls names, cannot be read (${cause.code ?? cause.name}).`,
      {
        cause,
      },
    );
  });
}

function stopped(process: NodeJS.Process) {
  const controller = new AbortController();
  const stop = (): void => controller.abort();
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  return {
    signal: controller.signal,
    asked: new Promise<void>((resolve) => controller.signal.addEventListener('abort', () => resolve(), { once: true })),
    release: () => {
      process.off('SIGTERM', stop);
      process.off('SIGINT', stop);
    },
  };
}

/** One JSON object a line on stderr; `--quiet` leaves out what is no fault. */
function jsonLog({ process, globals }: Invocation): Log {
  return ({ level, event, ...facts }) => {
    if (globals.quiet === true && level === 'info') return;
    process.stderr.write(`${JSON.stringify({ time: new Date().toISOString(), level, event, ...facts })}\n`);
  };
}
