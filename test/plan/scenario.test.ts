import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { digestOf, type MigrationWay, SCENARIOS, type SchemaRevision } from '../../src/model/index.ts';
import { type BackupFacts, chooseScenario, type ScenarioChoice, type StoreFacts } from '../../src/plan/index.ts';
import { isCompatible } from '../../src/plan/scenario.ts';

const NOW = Date.parse('2026-01-01T12:00:00Z');
const HOUR = 3_600_000;

const schema = (...heads: readonly string[]): SchemaRevision => ({
  store: 'main',
  tool: 'alembic',
  revision: heads[0] ?? null,
  heads,
});

const way = (part: Partial<MigrationWay> = {}): MigrationWay => ({
  from: 'c3',
  to: 'b2',
  direction: 'down',
  steps: [{ revision: 'c3', title: 'drop notes', reversible: true }],
  digest: digestOf('way'),
  ...part,
});

const backup = (id: string, minutesAgo: number, at?: SchemaRevision): BackupFacts => ({
  id,
  takenAt: new Date(NOW - minutesAgo * 60_000).toISOString(),
  ...(at === undefined ? {} : { schema: at }),
});

function facts(part: Partial<StoreFacts> = {}): StoreFacts {
  return {
    store: 'main',
    setting: {},
    live: schema('c3'),
    target: schema('b2'),
    images: ['summit/server:v4.0.4'],
    way: way(),
    backups: [],
    now: NOW,
    backupMaxAgeMs: HOUR,
    checks: ['health'],
    ...part,
  };
}

const DECLARED = { compatible: [{ revision: 'c3', images: ['summit/server:v4.0.*'] }] };
const STUCK = way({ steps: [{ revision: 'c3', title: 'split', reversible: false }] });

function letterOf(choice: ScenarioChoice): string {
  return choice.kind === 'chosen' ? choice.said.scenario : choice.kind;
}

describe('what becomes of a database', () => {
  it.each<[string, Partial<StoreFacts>, string]>([
    ['the same revision', { target: schema('c3') }, 'same'],
    ['the same heads in another order', { live: schema('a', 'b'), target: schema('a', 'b') }, 'same'],
    ['declared to work, and a check to prove it', { setting: DECLARED }, 'A'],
    ['declared to work, and nothing to prove it', { setting: DECLARED, checks: [] }, 'B'],
    ['declared for another revision', { setting: { compatible: [{ revision: 'x', images: ['*'] }] } }, 'B'],
    ['a way down', {}, 'B'],
    ['a way up', { way: way({ direction: 'up' }) }, 'B'],
    ['no way, a fitting backup', { way: { unknown: 'no' }, backups: [backup('new', 5, schema('b2'))] }, 'C'],
    ['a step without a way back, a fitting backup', { way: STUCK, backups: [backup('b', 59, schema('b2'))] }, 'C'],
    ['no way, a backup of the newer schema', { way: STUCK, backups: [backup('b', 5, schema('c3'))] }, 'refused'],
    ['no way, a backup whose schema nobody recorded', { way: STUCK, backups: [backup('b', 5)] }, 'refused'],
    ['no way, a backup that is too old', { way: STUCK, backups: [backup('b', 61, schema('b2'))] }, 'refused'],
    ['no way and no backup', { way: STUCK }, 'refused'],
    ['several heads', { live: schema('c3', 'd4') }, 'refused'],
    ['several heads, a fitting backup', { live: schema('c3', 'd4'), backups: [backup('b', 1, schema('b2'))] }, 'C'],
    ['live not known', { live: { unknown: 'no pod' } }, 'refused'],
    [
      'live not known, whatever backups there are',
      { live: { unknown: 'no pod' }, backups: [backup('b', 1, schema('b2'))] },
      'refused',
    ],
    ['target not known', { target: undefined }, 'refused'],
    ['before the first revision', { target: schema(), way: way({ to: null }) }, 'B'],
  ])('%s', (_what, part, expected) => {
    expect(letterOf(chooseScenario(facts(part)))).toBe(expected);
  });

  it.each<[string, Partial<StoreFacts>, string]>([
    ['A against a way down', { forced: { scenario: 'A', by: 'user' } }, 'A'],
    ['A where live is not known', { live: { unknown: 'x' }, forced: { scenario: 'A', by: 'user' } }, 'A'],
    ['A where the target is not known', { target: undefined, forced: { scenario: 'A', by: 'user' } }, 'A'],
    ['B where declared to work', { setting: DECLARED, forced: { scenario: 'B', by: 'user' } }, 'B'],
    ['B without a way', { way: { unknown: 'no' }, forced: { scenario: 'B', by: 'user' } }, 'refused'],
    ['B over a step that cannot be taken back', { way: STUCK, forced: { scenario: 'B', by: 'user' } }, 'refused'],
    [
      'C with a fitting backup',
      { backups: [backup('b', 5, schema('b2'))], forced: { scenario: 'C', by: 'user' } },
      'C',
    ],
    ['C with one of unrecorded schema', { backups: [backup('b', 5)], forced: { scenario: 'C', by: 'user' } }, 'C'],
    ['C with one that is too old', { backups: [backup('b', 90)], forced: { scenario: 'C', by: 'user' } }, 'refused'],
    ['C without a backup', { forced: { scenario: 'C', by: 'user' } }, 'refused'],
    [
      'C where the schema is the same: damaged data',
      { target: schema('c3'), backups: [backup('b', 5, schema('c3'))], forced: { scenario: 'C', by: 'user' } },
      'C',
    ],
    ['B where the schema is the same', { target: schema('c3'), forced: { scenario: 'B', by: 'user' } }, 'same'],
    [
      'C by the stack file, where the schema is the same',
      { target: schema('c3'), backups: [backup('b', 5)], forced: { scenario: 'C', by: 'stack' } },
      'same',
    ],
    ['A by the stack file', { forced: { scenario: 'A', by: 'stack' } }, 'A'],
    ['a backup by name, however old', { backups: [backup('old', 9_000, schema('b2'))], restore: 'old' }, 'C'],
    ['a backup by name, of unrecorded schema', { backups: [backup('old', 9_000)], restore: 'old' }, 'C'],
    [
      'a backup by name, of a schema that does not fit',
      { backups: [backup('b', 5, schema('c3'))], restore: 'b' },
      'refused',
    ],
    [
      'a backup by name, of a schema declared to fit',
      { setting: DECLARED, backups: [backup('b', 5, schema('c3'))], restore: 'b' },
      'C',
    ],
    ['a backup by name that is not there', { restore: 'b' }, 'refused'],
    [
      'a backup by name and scenario B',
      { backups: [backup('b', 5)], restore: 'b', forced: { scenario: 'B', by: 'user' } },
      'refused',
    ],
    [
      'a store without migrations, by name',
      { live: { unknown: 'none' }, target: undefined, way: { unknown: '' }, backups: [backup('b', 5)], restore: 'b' },
      'C',
    ],
  ])('forced: %s', (_what, part, expected) => {
    const choice = chooseScenario(facts(part));
    expect(letterOf(choice)).toBe(expected);
    if (choice.kind === 'chosen') expect(choice.said.forcedBy).toBeDefined();
  });

  it('says why, what may be lost, how long, and what the others would be', () => {
    const takes = { A: undefined, B: 4_000, C: 90_000 } as const;
    const choice = chooseScenario(facts({ backups: [backup('b', 5, schema('b2'))], takes: (one) => takes[one] }));
    expect(choice).toMatchObject({
      kind: 'chosen',
      way: { from: 'c3', to: 'b2' },
      said: {
        scenario: 'B',
        from: 'c3',
        to: 'b2',
        because: 'migrated down from c3 to b2 in 1 step, rehearsed on a copy first',
        loses: 'what the way down drops, which the rehearsal tells',
        expectedMs: 4_000,
        others: [
          { scenario: 'A', possible: true, says: expect.stringContaining('nobody has declared') },
          {
            scenario: 'C',
            possible: true,
            says: expect.stringContaining('what was written since'),
            expectedMs: 90_000,
          },
        ],
      },
    });
    expect(choice).not.toHaveProperty('said.forcedBy');
  });

  it('takes the newest backup that fits, and tells what its schema has to be', () => {
    const backups = [backup('c', 1, schema('c3')), backup('b', 5, schema('b2')), backup('a', 9, schema('b2'))];
    expect(chooseScenario(facts({ way: STUCK, backups }))).toMatchObject({ backup: { id: 'b', revision: 'b2' } });
    const forced = { scenario: 'C', by: 'user' } as const;
    expect(chooseScenario(facts({ backups: [backup('x', 2)], forced }))).toMatchObject({
      backup: { id: 'x', revision: 'b2' },
    });
  });

  it('names in a refusal what can be chosen, and how', () => {
    expect(chooseScenario(facts({ live: { unknown: 'no pod runs' } }))).toMatchObject({
      message: expect.stringMatching(
        /main: the revision of its live schema is not known: no pod runs\. A: .* B: .* C: /,
      ),
      next: 'Choose with --scenario main=A and --reason, or name a backup with --restore main=BACKUP.',
    });
    const old = chooseScenario(facts({ way: STUCK, backups: [backup('b', 90, schema('b2'))] }));
    expect(old).toMatchObject({
      message: expect.stringContaining('--restore main=b, or a later moment with --restore main=@TIME'),
    });
  });
});

describe('images that are declared to work with a newer schema', () => {
  it.each<[readonly string[], readonly string[], boolean]>([
    [['shop/web:v1.*'], ['shop/web:v1.2'], true],
    [['shop/web:v1.*'], ['shop/web:v1.2', 'other/db:9'], true],
    [['shop/web:v1.*'], ['shop/web:v2.0'], false],
    [['shop/web:v1.*'], ['shop/web:v1.2', 'shop/web:v2.0'], false],
    [['shop/web:v1.*', 'shop/web:v2.*'], ['shop/web:v1.2', 'shop/web:v2.0'], true],
    [['shop/web:v1.*', 'shop/jobs:v1.*'], ['shop/web:v1.2'], false],
    [['registry:5000/web:v1'], ['registry:5000/web:v1'], true],
    [['registry:5000/web:v1'], ['registry:5000/web:v2'], false],
    [['shop/web:v1.*'], [], false],
  ])('%j and %j', (images, target, expected) => {
    expect(isCompatible({ compatible: [{ revision: 'c3', images }] }, 'c3', target)).toBe(expected);
    expect(isCompatible({ compatible: [{ revision: 'c3', images }] }, 'b2', target)).toBe(false);
  });
});

describe('the choice, whatever the facts', () => {
  const revisions = fc.constantFrom(schema(), schema('b2'), schema('c3'), schema('c3', 'd4'));
  const someFacts: fc.Arbitrary<StoreFacts> = fc
    .record({
      setting: fc.constantFrom({}, DECLARED),
      live: fc.oneof(revisions, fc.constant({ unknown: 'no pod' })),
      target: fc.option(revisions, { nil: undefined }),
      way: fc.constantFrom(way(), STUCK, way({ direction: 'up' as const }), { unknown: 'no' }),
      backups: fc.array(
        fc
          .record({
            id: fc.constantFrom('a', 'b'),
            ago: fc.integer({ min: 0, max: 200 }),
            at: fc.option(revisions, { nil: undefined }),
          })
          .map(({ id, ago, at }) => backup(id, ago, at)),
        { maxLength: 3 },
      ),
      checks: fc.constantFrom([], ['health']),
      forced: fc.option(
        fc.record({ scenario: fc.constantFrom(...SCENARIOS), by: fc.constantFrom('user' as const, 'stack' as const) }),
        { nil: undefined },
      ),
      restore: fc.option(fc.constantFrom('a', 'b', 'c'), { nil: undefined }),
    })
    .map(({ forced, restore, ...part }) =>
      facts({ ...part, ...(forced === undefined ? {} : { forced }), ...(restore === undefined ? {} : { restore }) }),
    );

  it('never guesses: without a word of a person, both revisions are known', () => {
    fc.assert(
      fc.property(someFacts, (given) => {
        const { forced: _, restore: __, ...free } = given;
        const choice = chooseScenario(free);
        if (choice.kind === 'refused') return;
        expect('unknown' in free.live).toBe(false);
        expect(free.target).toBeDefined();
      }),
    );
  });

  it('does what was forced or nothing, and never restores what is too old without its name', () => {
    fc.assert(
      fc.property(someFacts, (given) => {
        const choice = chooseScenario(given);
        if (choice.kind !== 'chosen') return;
        if (given.restore !== undefined) expect(choice).toMatchObject({ backup: { id: given.restore } });
        else if (given.forced !== undefined) expect(choice.said.scenario).toBe(given.forced.scenario);
        if (choice.said.scenario === 'B') expect(choice.way).toEqual(given.way);
        else expect(choice.way).toBeUndefined();
        if (choice.backup !== undefined && given.restore === undefined) {
          const taken = given.backups
            .filter(({ id }) => id === choice.backup?.id)
            .map(({ takenAt }) => Date.parse(takenAt));
          expect(taken.some((time) => NOW - time <= HOUR)).toBe(true);
        }
        expect(choice.said.others.map(({ scenario }) => scenario)).toEqual(
          SCENARIOS.filter((one) => one !== choice.said.scenario),
        );
      }),
    );
  });

  it('leaves alone by itself only what is declared and will be proven', () => {
    fc.assert(
      fc.property(someFacts, (given) => {
        const choice = chooseScenario(given);
        if (choice.kind !== 'chosen' || choice.said.scenario !== 'A' || choice.said.forcedBy !== undefined) return;
        expect(given.setting).toBe(DECLARED);
        expect(given.checks).not.toEqual([]);
      }),
    );
  });
});
