/** A moment of the past that a database can be taken to. */
export type RecoveryTarget =
  /** ISO 8601 with its offset, to the microsecond. Everything that was committed by then, and nothing later. */
  | { readonly kind: 'time'; readonly time: string }
  /** As `pg_create_restore_point` was told it. */
  | { readonly kind: 'restore-point'; readonly name: string };

/** Where a store keeps what leads to any moment of its past: copies of the whole server, and its log since. */
export interface ArchiveSetting {
  readonly base:
    | { readonly kind: 'folder'; readonly folder: string }
    /** Program and arguments that put one into the empty folder `%d`; `%t` is the time that is wanted, or nothing. */
    | { readonly kind: 'command'; readonly command: readonly string[] };
  readonly wal:
    | { readonly kind: 'folder'; readonly folder: string }
    /** Program and arguments that put the file `%f` of the log to the path `%p`, as PostgreSQL's own `restore_command`. */
    | { readonly kind: 'command'; readonly command: readonly string[] };
  /** Where copies are recovered. @default the folder for temporary files */
  readonly scratch?: string;
}

/** A copy of the whole server, from which one goes forward. */
export interface BaseBackup {
  readonly name: string;
  readonly bytes: number;
  /** Of the cluster that it is a copy of. */
  readonly systemIdentifier: string;
  /** `15`. */
  readonly major: number;
  readonly timeline: number;
  /** Positions in the log between which it was copied. */
  readonly start: string;
  /** Absent: nothing says where it ended. */
  readonly end?: string;
}

/** From when to when one can go, from one base backup. */
export interface RecoveryWindow {
  readonly base: string;
  /** ISO 8601. Absent with `problem`. */
  readonly from?: string;
  /** Time of the last transaction in the log, up to its first gap: any time before that. Absent: an archive that cannot be listed. */
  readonly to?: string;
  readonly timeline?: number;
  /** File of the log that is not there although later ones are: `to` lies before it. */
  readonly missing?: string;
  /** Why nothing can be recovered from it, in words. */
  readonly problem?: string;
}

/** Of a backup that was not taken from the live database but from its past. */
export interface PointInTimeSource {
  readonly kind: 'point-in-time';
  readonly target: RecoveryTarget;
  readonly reached: {
    /** Position in the log. */
    readonly lsn: string;
    /** ISO 8601: the last transaction that is in it. Absent: none since the base backup. */
    readonly lastTransactionAt?: string;
    /** The server's own words. */
    readonly said: string;
  };
  /** Name of the base backup. */
  readonly base: string;
  readonly timeline: number;
  /** Whether it was also proven as a server that takes writes. */
  readonly promoted: boolean;
}

const MOMENT = /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))? ?(Z|UTC|[+-]\d\d(?::?\d\d)?)$/;

/**
 * Microseconds since 1970 of a time with its offset, as ISO 8601 and PostgreSQL write it; undefined for any other text. A time
 * without an offset is another moment on every machine, and is none.
 */
export function microsOf(text: string): bigint | undefined {
  const found = MOMENT.exec(text.trim());
  if (found === null) return undefined;
  const [year, month, day, hour, minute, second] = found.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const [fraction = '', zone = 'Z'] = found.slice(7, 9);
  const whole = Date.UTC(year, month - 1, day, hour, minute, second);
  const back = new Date(whole);
  // Otherwise 30 February would quietly be 2 March.
  if (back.getUTCMonth() !== month - 1 || back.getUTCDate() !== day || hour > 23 || minute > 59 || second > 59)
    return undefined;
  return (BigInt(whole) - BigInt(offsetMs(zone))) * 1000n + BigInt(fraction.padEnd(6, '0'));
}

/** ISO 8601 in UTC, to the microsecond. */
export function momentOf(micros: bigint): string {
  const rest = ((micros % 1_000_000n) + 1_000_000n) % 1_000_000n;
  const seconds = new Date(Number((micros - rest) / 1000n)).toISOString().slice(0, 19);
  return `${seconds}.${rest.toString().padStart(6, '0')}Z`;
}

function offsetMs(zone: string): number {
  if (zone === 'Z' || zone === 'UTC') return 0;
  const [hours, minutes] = [zone.slice(1, 3), zone.slice(3).replace(':', '')];
  const ms = (Number(hours) * 60 + Number(minutes)) * 60_000;
  return zone.startsWith('-') ? -ms : ms;
}

export function describeTarget(target: RecoveryTarget): string {
  return target.kind === 'time' ? target.time : `restore point ${target.name}`;
}
