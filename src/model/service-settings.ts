import type { AccessRole } from './principal.ts';

/** `backstay.service.yaml`: how a service of this project runs. Everything has a default. */
export interface ServiceSettings {
  readonly listen: { readonly host: string; readonly port: number };
  /** Files in PEM. Absent: plain HTTP, for loopback or behind a proxy. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** A proxy before us ends TLS, and says who asks in X-Forwarded-For: addresses or CIDR blocks it comes from. */
  readonly proxy?: { readonly trusted: readonly string[] };
  /** By which names people reach it, with the port where it is not the usual one. Absent: the one it listens on. */
  readonly hosts: readonly string[];
  readonly oidc: readonly OidcIssuer[];
  readonly limits: {
    /** Runs at a time that this service carries. */
    readonly runs: number;
    /** Requests a minute, of one principal. */
    readonly requestsPerMinute: number;
    /** Streams of events that one principal may have open at a time. */
    readonly streams: number;
  };
  /** Milliseconds for which records are kept since they were last changed, deliveries since they were settled. */
  readonly retention: {
    readonly decisionsMs: number;
    readonly deliveriesMs: number;
    readonly plansMs: number;
  };
}

/** Whose signed tokens prove who asks. */
export interface OidcIssuer {
  /** As its tokens say it; `/.well-known/openid-configuration` below it leads to the keys, unless `jwks` does. */
  readonly issuer: string;
  readonly jwks?: string;
  /** What tokens for this service are made out to. */
  readonly audience: string;
  /** The claim that names the person behind a token (`email`, `actor`). */
  readonly person?: string;
  /** Tried one after the other; every one that fits grants. */
  readonly rules: readonly OidcRule[];
}

/** Who gets what: all claims have to be as named, with `*` as wildcard. */
export interface OidcRule {
  readonly claims: Readonly<Record<string, string>>;
  readonly role: AccessRole;
  readonly stacks: readonly string[];
  readonly approves?: readonly string[];
}
