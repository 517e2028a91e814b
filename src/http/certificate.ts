import { X509Certificate } from 'node:crypto';
import type { Clock } from '../ports/index.ts';
import { type Log, whyOf } from '../service/log.ts';

/** PEM. */
export interface CertificatePair {
  readonly cert: string;
  readonly key: string;
}

export interface CertificateSource {
  /** Both files as they are now. @throws where one cannot be read */
  readonly read: () => Promise<CertificatePair>;
  /** For connections from now on; those that are open go on as they are. @throws SERVICE_INVALID: then nothing has changed */
  readonly use: (pair: CertificatePair) => void;
  readonly clock: Pick<Clock, 'delay'>;
  readonly log: Log;
  readonly everyMs?: number;
}

/** Milliseconds between two looks: two small files are soon read, and a key that got about is to be out of use at once. */
const LOOK_MS = 2_000;

/**
 * Looks at the files again and again, until the signal fires: what is read is what counts, whether a file was written over, or a
 * symbolic link above it exchanged, or it lies on a mount of which nobody is told changes. A pair that cannot be used is
 * told once, when it is still there at the second look (the two files may be written one after the other), and the one that was
 * good stays. `used`: the pair that is served now.
 */
export async function followCertificate(
  used: CertificatePair,
  { read, use, clock, log, everyMs = LOOK_MS }: CertificateSource,
  signal: AbortSignal,
): Promise<void> {
  let now = textOf(used);
  let [suspect, told] = ['', ''];
  for (;;) {
    await clock.delay(everyMs, signal).catch(() => undefined);
    if (signal.aborted) return;
    let seen = '';
    try {
      const pair = await read();
      seen = textOf(pair);
      if (seen !== now) {
        use(pair);
        now = seen;
        log({ level: 'info', event: 'tls.renewed', validUntil: endOf(pair) });
      }
      [suspect, told] = ['', ''];
    } catch (error) {
      const { code, message } = whyOf(error);
      const problem = `${message}\n${seen}`;
      if (problem === suspect && problem !== told) {
        log({ level: 'error', event: 'tls.unusable', code, message: `${message} The one before is still in use.` });
        told = problem;
      }
      suspect = problem;
    }
  }
}

const textOf = ({ cert, key }: CertificatePair): string => `${cert}\n${key}`;

/** ISO 8601. */
function endOf({ cert }: CertificatePair): string {
  return new Date(new X509Certificate(cert).validTo).toISOString();
}
