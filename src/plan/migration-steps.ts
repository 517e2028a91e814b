import type { MigrationWay, Step } from '../model/index.ts';
import { spell } from './scenario.ts';

/** A data store that is migrated with the plan. */
export interface PlannedMigration {
  readonly store: string;
  readonly way: MigrationWay;
  /** Without a backup there is nothing to rehearse on, and nothing to go back to but the scripts. */
  readonly skipBackup?: true;
}

type PhaseStep = Omit<Step, 'phase'>;

/** A backup of now, and the way gone on a copy of it: after these it is known what is lost, and how to come back. */
export function safeguarding(migrations: readonly PlannedMigration[]): readonly PhaseStep[] {
  return migrations.flatMap(({ store, way, skipBackup }): PhaseStep[] =>
    skipBackup === true
      ? []
      : [
          {
            id: `db-backup:${store}`,
            title: `Back ${store} up, and read the backup again`,
            // The rehearsal restores it, which is the proof that counts.
            action: { kind: 'db-backup', store, prove: 'read' },
            risk: 'none',
            destructive: false,
          },
          {
            id: `migrate-rehearse:${store}`,
            title: `Restore it beside, migrate that ${way.direction} to ${spell({ revision: way.to })}, and tell what is lost`,
            action: { kind: 'migrate-rehearse', store, way },
            risk: 'low',
            destructive: false,
          },
        ],
  );
}

/** The live schema, by the code that made it. */
export function migrating(migrations: readonly PlannedMigration[]): readonly PhaseStep[] {
  return migrations.map(({ store, way, skipBackup }) => {
    const loses =
      skipBackup === true
        ? 'what the scripts drop: nobody has rehearsed them, and there is no backup of this run'
        : 'what the rehearsal tells, and nothing that nobody has accepted';
    return {
      id: `migrate:${store}`,
      title: `Migrate ${store} ${way.direction} from ${spell({ revision: way.from })} to ${spell({ revision: way.to })} (${way.steps.map(({ revision }) => revision).join(', ')})`,
      action: { kind: 'migrate', store, way },
      reverse: { kind: 'migrate-back', store, way },
      risk: 'high',
      destructive: true,
      ...(way.direction === 'down' ? { dataLoss: loses } : {}),
    };
  });
}
