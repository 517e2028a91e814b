import {
  matchesGlob,
  type MigrationSetting,
  type MigrationWay,
  type OtherScenario,
  type Scenario,
  SCENARIOS,
  type SchemaRevision,
  type StoreScenario,
} from '../model/index.ts';

/** A whole backup of the store, as far as the choice asks for it. */
export interface BackupFacts {
  readonly id: string;
  /** ISO 8601. */
  readonly takenAt: string;
  /** Absent: nobody recorded it; the restored copy is asked before it is exchanged. */
  readonly schema?: Pick<SchemaRevision, 'revision' | 'heads'>;
}

/** All that the choice for one store depends on. */
export interface StoreFacts {
  readonly store: string;
  /** Absent: the store does not say how it is migrated. */
  readonly setting?: Pick<MigrationSetting, 'compatible'>;
  readonly live: SchemaRevision | Unknown;
  /** As the target's snapshot recorded it. */
  readonly target: SchemaRevision | undefined;
  /** Images that the target runs. */
  readonly images: readonly string[];
  /** From live to the target; asked only where the two are known and differ. */
  readonly way: MigrationWay | Unknown;
  /** Newest first, damaged ones left out. */
  readonly backups: readonly BackupFacts[];
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly backupMaxAgeMs: number;
  /** Checks that will be asked at the target, by name. */
  readonly checks: readonly string[];
  readonly forced?: { readonly scenario: Scenario; readonly by: 'user' | 'stack' };
  /** The backup that the user named. */
  readonly restore?: string;
  /** Milliseconds that the steps of a scenario took in earlier runs; undefined: nothing is known. */
  readonly takes?: (scenario: Scenario) => number | undefined;
}

export interface Unknown {
  /** Why it is not known, in words. */
  readonly unknown: string;
}

export type ScenarioChoice =
  /** The schema is that of the target, and nothing was asked for. */
  | { readonly kind: 'same' }
  | {
      readonly kind: 'chosen';
      readonly said: StoreScenario;
      /** Of B. */
      readonly way?: MigrationWay;
      /** Of C: id of the backup, and what its schema has to be (absent: not known, not asked). */
      readonly backup?: { readonly id: string; readonly revision?: string | null };
    }
  /** No way can be taken without a person's word for it. Both texts are for that person. */
  | { readonly kind: 'refused'; readonly message: string; readonly next: string };

interface Assessed {
  /** Can be forced. */
  readonly possible: boolean;
  /** Is taken without being forced. */
  readonly fits: boolean;
  readonly says: string;
  readonly loses?: string;
  readonly backup?: BackupFacts;
}

/**
 * Which way a data store goes with a rollback: alone where that is known to work, else down where there is a way, else back
 * to a backup that fits. What the user names wins; where the revisions do not tell, nothing is guessed. Pure.
 */
export function chooseScenario(facts: StoreFacts): ScenarioChoice {
  const { live, target, forced, restore } = facts;
  if (restore !== undefined) {
    if (forced?.by === 'user' && forced.scenario !== 'C')
      return refused(
        facts,
        `--restore ${facts.store}=${restore} is scenario C, and --scenario says ${forced.scenario}`,
      );
    return chosen('C', { ...facts, forced: { scenario: 'C', by: 'user' } });
  }
  const same = !isUnknown(live) && target !== undefined && sameSchema(live, target);
  if (same && !(forced?.by === 'user' && forced.scenario === 'C')) return { kind: 'same' };
  if (forced !== undefined) {
    const { possible, says } = assess(forced.scenario, facts);
    if (possible) return chosen(forced.scenario, facts);
    return refused(facts, `scenario ${forced.scenario} cannot be taken: ${says}`);
  }
  if (isUnknown(live)) return refused(facts, `the revision of its live schema is not known: ${live.unknown}`);
  if (target === undefined) return refused(facts, 'the target does not say with which schema it ran');
  const found = SCENARIOS.find((scenario) => assess(scenario, facts).fits);
  if (found !== undefined) return chosen(found, facts);
  return refused(facts, `its schema is at ${spell(live)}, that of the target at ${spell(target)}`);
}

export function isUnknown(value: object): value is Unknown {
  return 'unknown' in value;
}

/** Equal in every head: one of several says nothing of the others. */
export function sameSchema(a: Pick<SchemaRevision, 'heads' | 'revision'>, b: typeof a): boolean {
  if (a.revision !== b.revision || a.heads.length !== b.heads.length) return false;
  const heads = new Set(a.heads);
  return b.heads.every((head) => heads.has(head));
}

/**
 * Whether the stack declares that these images work with this revision: of every repository that a pattern names there is an
 * image, and all of them match.
 */
export function isCompatible(
  { compatible = [] }: Pick<MigrationSetting, 'compatible'>,
  revision: string | null,
  images: readonly string[],
): boolean {
  return compatible
    .filter((entry) => entry.revision === revision)
    .some(({ images: patterns }) => {
      const meant = patterns.map((pattern) =>
        images.filter((image) => matchesGlob(repositoryOf(pattern), repositoryOf(image))),
      );
      if (meant.some((found) => found.length === 0)) return false;
      return meant.flat().every((image) => patterns.some((pattern) => matchesGlob(pattern, image)));
    });
}

/** `registry:5000/shop/web:v1` without its tag and digest. */
function repositoryOf(image: string): string {
  const [name = ''] = image.split('@');
  const colon = name.lastIndexOf(':');
  return colon > name.lastIndexOf('/') ? name.slice(0, colon) : name;
}

function assess(scenario: Scenario, facts: StoreFacts): Assessed {
  switch (scenario) {
    case 'A':
      return alone(facts);
    case 'B':
      return migrated(facts);
    case 'C':
      return restored(facts);
  }
}

function alone({ setting, live, images, checks }: StoreFacts): Assessed {
  const at = isUnknown(live) ? 'the schema as it is' : spell(live);
  if (
    setting === undefined ||
    isUnknown(live) ||
    !isCompatible(setting, live.revision, images) ||
    live.heads.length > 1
  )
    return {
      possible: true,
      fits: false,
      says: `left alone: nobody has declared that the images of the target work with ${at}`,
    };
  if (checks.length === 0)
    return {
      possible: true,
      fits: false,
      says: `left alone: declared to work with ${at}, but no check would prove it`,
    };
  return {
    possible: true,
    fits: true,
    says: `left alone: the images of the target are declared to work with ${at}; ${checks.join(', ')} ${checks.length === 1 ? 'proves' : 'prove'} it`,
  };
}

function migrated({ live, target, way }: StoreFacts): Assessed {
  const no = (says: string): Assessed => ({ possible: false, fits: false, says });
  if (isUnknown(live)) return no('no way is known from a revision that is not known');
  if (target === undefined) return no('no way is known to a revision that is not known');
  if (live.heads.length > 1) return no(`there are several heads (${live.heads.join(', ')})`);
  if (target.heads.length > 1) return no(`the target has several heads (${target.heads.join(', ')})`);
  if (isUnknown(way)) return no(way.unknown);
  if (way.direction === 'none') return no('there is nothing to migrate');
  const stuck = way.steps.filter(({ reversible }) => !reversible);
  if (way.direction === 'down' && stuck.length > 0)
    return no(`${stuck.map(({ revision }) => revision).join(', ')} cannot be taken back`);
  const count = `${way.steps.length} step${way.steps.length === 1 ? '' : 's'}`;
  return {
    possible: true,
    fits: true,
    says: `migrated ${way.direction} from ${spell(live)} to ${spell(target)} in ${count}, rehearsed on a copy first`,
    ...(way.direction === 'down' ? { loses: 'what the way down drops, which the rehearsal tells' } : {}),
  };
}

function restored(facts: StoreFacts): Assessed {
  const { store, target, backups, restore, now, backupMaxAgeMs, setting = {}, images } = facts;
  const no = (says: string): Assessed => ({ possible: false, fits: false, says });
  const named = restore === undefined ? undefined : backups.find(({ id }) => id === restore);
  if (restore !== undefined && named === undefined) return no(`there is no whole backup ${restore}`);
  const fitting = backups.filter(
    ({ schema }) => schema !== undefined && target !== undefined && sameSchema(schema, target),
  );
  const untold = backups.filter(({ schema }) => schema === undefined || target === undefined);
  const found = named ?? fitting[0] ?? untold[0];
  if (found === undefined) {
    const what = target === undefined ? 'backup' : `backup of the schema ${spell(target)}`;
    return no(`there is no ${what}`);
  }
  const { schema } = found;
  const differs = schema !== undefined && target !== undefined && !sameSchema(schema, target);
  if (differs && !isCompatible(setting, schema.revision, images))
    return no(`backup ${found.id} has the schema ${spell(schema)}, and the target ran with ${spell(target)}`);
  const old = now - Date.parse(found.takenAt) > backupMaxAgeMs;
  if (named === undefined && old)
    return no(
      `backup ${found.id} of ${found.takenAt} is older than ${inWords(backupMaxAgeMs)}: name it with --restore ${store}=${found.id}, or a later moment with --restore ${store}=@TIME`,
    );
  return {
    possible: true,
    fits: fitting.includes(found),
    says: `restored from backup ${found.id} of ${found.takenAt}${schema === undefined ? ', whose schema is not recorded' : ''}`,
    loses: `what was written since ${found.takenAt}`,
    backup: found,
  };
}

function chosen(scenario: Scenario, facts: StoreFacts): ScenarioChoice {
  const { store, live, target, way, forced, takes } = facts;
  const { possible, says, loses, backup } = assess(scenario, facts);
  if (!possible) return refused(facts, `scenario ${scenario} cannot be taken: ${says}`);
  const ms = takes?.(scenario);
  const said: StoreScenario = {
    store,
    scenario,
    because: says,
    ...(isUnknown(live) ? {} : { from: live.revision }),
    ...(target === undefined ? {} : { to: target.revision }),
    ...(forced === undefined ? {} : { forcedBy: forced.by }),
    ...(loses === undefined ? {} : { loses }),
    ...(ms === undefined ? {} : { expectedMs: ms }),
    others: SCENARIOS.filter((other) => other !== scenario).map((other) => otherwise(other, facts)),
  };
  return {
    kind: 'chosen',
    said,
    ...(scenario === 'B' && !isUnknown(way) ? { way } : {}),
    ...(backup === undefined ? {} : { backup: { id: backup.id, ...revisionOf(backup.schema ?? target) } }),
  };
}

function revisionOf(schema: Pick<SchemaRevision, 'revision'> | undefined): { readonly revision?: string | null } {
  return schema === undefined ? {} : { revision: schema.revision };
}

function otherwise(scenario: Scenario, facts: StoreFacts): OtherScenario {
  const { possible, says, loses } = assess(scenario, facts);
  const ms = possible ? facts.takes?.(scenario) : undefined;
  return {
    scenario,
    possible,
    says: loses === undefined ? says : `${says}; lost: ${loses}`,
    ...(ms === undefined ? {} : { expectedMs: ms }),
  };
}

function refused(facts: StoreFacts, why: string): ScenarioChoice {
  const ways = SCENARIOS.map((scenario) => ({ scenario, ...assess(scenario, facts) }));
  const can = ways.filter(({ possible }) => possible).map(({ scenario }) => scenario);
  const asked = ways.map(({ scenario, says }) => `${scenario}: ${says}`).join('. ');
  return {
    kind: 'refused',
    message: `${facts.store}: ${why}. ${asked}.`,
    next: `Choose with --scenario ${facts.store}=${can.join(' or ')} and --reason, or name a backup with --restore ${facts.store}=BACKUP.`,
  };
}

/** A revision as people read it; null: the empty schema. */
export function spell({
  revision,
  heads = [],
}: {
  readonly revision: string | null;
  readonly heads?: readonly string[];
}): string {
  if (heads.length > 1) return heads.join('+');
  return revision ?? 'the empty schema';
}

function inWords(ms: number): string {
  const hours = ms / 3_600_000;
  return hours >= 1 ? `${Math.round(hours * 10) / 10} h` : `${Math.round(ms / 60_000)} min`;
}
