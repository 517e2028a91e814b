/** What one may do through the service; each role may also do what those before it may. */
export const ACCESS_ROLES = ['viewer', 'operator', 'admin'] as const;
export type AccessRole = (typeof ACCESS_ROLES)[number];

/** Who makes a request of the service. */
export interface Principal {
  /** Unique and stable: `token:deploy-bot`, `oidc:ISSUER#SUBJECT`, `local:anna`. What journals say as the user. */
  readonly id: string;
  /** For people. */
  readonly name: string;
  /** Whose it is: somebody with several tokens is one person where people agree to something. */
  readonly person?: string;
  /** How it was proven. */
  readonly by: 'token' | 'oidc' | 'local';
  readonly grants: readonly Grant[];
}

/** A role on some stacks. */
export interface Grant {
  readonly role: AccessRole;
  /** Names, with `*` as wildcard. */
  readonly stacks: readonly string[];
  /** Roles of the stack's approval policy in which this one may decide (`engineering-manager`). */
  readonly approves?: readonly string[];
}

/** What is asked of a stack. `watch` reads, `act` plans and runs, `approve` decides, `manage` is for tokens and settings. */
export type Deed = 'watch' | 'act' | 'approve' | 'manage';
