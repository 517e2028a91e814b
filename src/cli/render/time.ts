/** `340 ms`, `4.2 s`, `3 min 5 s`, for people. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 60) return `${minutes} min ${Math.round((ms % 60_000) / 1000)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** `12s`, `5m`, `3h`, `2d`, as kubectl shows an age. */
export function age(from: string, now: number): string {
  const seconds = Math.max(0, Math.round((now - Date.parse(from)) / 1000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}

/** `21 Nov 10:50 UTC`: a time to come, the same for everybody on the call. */
export function moment(iso: string): string {
  const [date = '', time = ''] = new Date(iso)
    .toUTCString()
    .slice(5)
    .split(/ \d{4} /);
  return `${date} ${time.slice(0, 5)} UTC`;
}
