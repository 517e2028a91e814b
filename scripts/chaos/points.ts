/** One place in a run where it can be killed: the n-th reach of a failpoint, as BACKSTAY_FAILPOINT names it. */
export interface Point {
  /** `provider.apply.after`: what a sample covers once each. */
  readonly name: string;
  /** `provider.apply.after@ConfigMap/settings#1`. */
  readonly at: string;
}

/** Reaches whose number and place depend on time: only their first one is the same in each run. */
const TIMELY = /@event:/;
/** Comes only in runs that take longer than a third of the lease; such a run is made for it. */
const RENEWAL = /@Lease:renew$/;

/** The points of a traced run, in order. */
export function pointsIn(trace: string): readonly Point[] {
  const seen = new Map<string, number>();
  return trace.split('\n').flatMap((line) => {
    if (line === '' || RENEWAL.test(line)) return [];
    const nth = (seen.get(line) ?? 0) + 1;
    seen.set(line, nth);
    if (nth > 1 && TIMELY.test(line)) return [];
    return [{ name: line.slice(0, line.indexOf('@')), at: `${line}#${nth}` }];
  });
}

/** One point of each name: the one in the middle of its reaches. */
export function sampleOf(points: readonly Point[]): readonly Point[] {
  const byName = Map.groupBy(points, ({ name }) => name);
  return [...byName.values()].map((same) => same[Math.floor(same.length / 2)] as Point);
}

/** For the second kill: this point again, or whichever comes first of those behind it. */
export function fromThereOn(point: Point, points: readonly Point[]): string {
  const later = points.slice(points.findIndex(({ at }) => at === point.at) + 1).map(({ at }) => at);
  // A resume counts its reaches from one.
  return [...new Set([point.at, ...later].map((at) => at.replace(/#\d+$/, '')))].join(',');
}
