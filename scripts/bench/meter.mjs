/**
 * Preloaded into a measured process: at its end, what it used stands in the file $BACKSTAY_BENCH_METER as JSON. Peak memory
 * is Linux's own count for this program (VmHWM), because getrusage() there also counts what the parent held before exec.
 */
import { readFileSync, writeFileSync } from 'node:fs';

process.on('exit', () => {
  const file = process.env.BACKSTAY_BENCH_METER;
  if (file === undefined) return;
  const { user, system } = process.cpuUsage();
  writeFileSync(
    file,
    JSON.stringify({ peakBytes: peakBytes(), cpuMs: (user + system) / 1000, readBytes: readBytes() }),
  );
});

function peakBytes() {
  try {
    const kilobytes = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
    if (kilobytes !== undefined) return Number(kilobytes) * 1024;
  } catch {
    // No /proc: getrusage() does where a new program starts counting anew.
  }
  return process.resourceUsage().maxRSS * 1024;
}

/** All that this process itself has read, from files above all; 0 where the machine does not count it. */
function readBytes() {
  try {
    return Number(/^rchar: (\d+)/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}
