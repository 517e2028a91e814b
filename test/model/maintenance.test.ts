import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import {
  asItWas,
  capturedForm,
  carryOver,
  type FlagPlace,
  flagValue,
  type KubeObject,
  MAINTENANCE,
  maintainedBy,
  resume,
  suspend,
  turnOff,
  turnOn,
} from '../../src/model/index.ts';

const KEY: FlagPlace = { kind: 'key', key: 'MODE' };
const ENV: FlagPlace = { kind: 'env', container: 'app', env: 'MODE' };

const config = (data?: Readonly<Record<string, string>>): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'c', namespace: 'n' },
  ...(data === undefined ? {} : { data }),
});
const deployment = (...env: readonly (readonly [string, string])[]): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'd', namespace: 'n', annotations: { own: 'a' } },
  spec: {
    replicas: 2,
    template: {
      spec: {
        containers: [
          { name: 'side', image: 's' },
          {
            name: 'app',
            image: 'i',
            ...(env.length === 0 ? {} : { env: env.map(([name, value]) => ({ name, value })) }),
          },
        ],
      },
    },
  },
});

const CASES: readonly (readonly [string, KubeObject, FlagPlace])[] = [
  ['a key that says false', config({ MODE: 'false', other: 'x' }), KEY],
  ['a key that is not there', config({ other: 'x' }), KEY],
  ['a key of an empty map', config(), KEY],
  ['a variable that says false', deployment(['A', '1'], ['MODE', 'false'], ['B', '2']), ENV],
  ['a variable that is not there', deployment(['A', '1']), ENV],
  ['a variable of a container without any', deployment(), ENV],
];

function on(object: KubeObject, place: FlagPlace, run = 'r1'): KubeObject {
  const answer = turnOn(object, place, 'true', run);
  if (answer.kind !== 'write') throw new Error(answer.why);
  return answer.object;
}

function off(object: KubeObject, run = 'r1'): KubeObject {
  const answer = turnOff(object, run);
  if (answer.kind !== 'write') throw new Error(answer.why);
  return answer.object;
}

describe.each(CASES)('maintenance mode by %s', (_what, object, place) => {
  it('is on, and off again to the byte', () => {
    const written = on(object, place);
    expect(flagValue(written, place)).toBe('true');
    expect(maintainedBy(written)).toBe('r1');
    expect(off(written)).toEqual(object);
  });

  it('is no change of the captured form', () => {
    expect(capturedForm(on(object, place))).toEqual(capturedForm(object));
    expect(asItWas(on(object, place))).toEqual(object);
  });

  it('is turned on once, and off once', () => {
    const written = on(object, place);
    expect(turnOn(written, place, 'true', 'r1')).toMatchObject({ kind: 'nothing', ours: true });
    expect(turnOff(off(written), 'r1')).toMatchObject({ kind: 'nothing', ours: false });
  });

  it('is taken over from a dead run with what was there before it, and says whose it was', () => {
    const answer = turnOn(on(object, place, 'r1'), place, 'true', 'r2');
    expect(answer).toMatchObject({ kind: 'write', left: expect.stringContaining('run r1') });
    const taken = answer.kind === 'write' ? answer.object : object;
    expect(turnOff(taken, 'r1')).toMatchObject({ kind: 'nothing', by: 'r2' });
    expect(off(taken, 'r2')).toEqual(object);
  });

  it('survives that a target is written over it, and ends as the target says', () => {
    for (const value of ['false', 'soon', undefined]) {
      const target = withFlag(object, place, value);
      const written = carryOver(on(object, place), target);
      expect(flagValue(written, place)).toBe('true');
      expect(capturedForm(written)).toEqual(capturedForm(target));
      expect(capturedForm(off(written))).toEqual(capturedForm(target));
    }
  });

  it('ends on where the target itself has it on', () => {
    const target = withFlag(object, place, 'true');
    const written = carryOver(on(object, place), target);
    expect(capturedForm(written)).toEqual(capturedForm(target));
    expect(maintainedBy(written)).toBeUndefined();
  });
});

function withFlag(object: KubeObject, place: FlagPlace, value: string | undefined): KubeObject {
  if (place.kind === 'env')
    return value === undefined ? deployment(['A', '1']) : deployment(['A', '1'], ['MODE', value]);
  return config({ other: 'y', ...(value === undefined ? {} : { MODE: value }) });
}

describe('what is somebody else’s', () => {
  it('stays on when a person turned it on', () => {
    const live = config({ MODE: 'true' });
    expect(turnOn(live, KEY, 'true', 'r1')).toMatchObject({ kind: 'nothing', ours: false });
    expect(turnOff(live, 'r1')).toMatchObject({ kind: 'nothing', ours: false });
  });

  it('stays as a person set it meanwhile', () => {
    const meanwhile = { ...on(config({ MODE: 'false' }), KEY), data: { MODE: 'partly' } };
    const answer = turnOff(meanwhile, 'r1');
    expect(answer).toMatchObject({ kind: 'write', left: expect.stringContaining('somebody else') });
    expect(answer.kind === 'write' && answer.object).toEqual(config({ MODE: 'partly' }));
    expect(capturedForm(meanwhile)).toEqual(capturedForm(config({ MODE: 'partly' })));
  });

  it('is nothing where the annotation cannot be read', () => {
    const broken = { ...config({ MODE: 'true' }), metadata: { name: 'c', annotations: { [MAINTENANCE]: '{' } } };
    expect(maintainedBy(broken)).toBeUndefined();
    expect(turnOff(broken, 'r1')).toMatchObject({ kind: 'nothing' });
  });
});

test('scaled to zero and in maintenance at once, in any order, everything comes back', () => {
  const acts = fc.shuffledSubarray(['quiet', 'maintain'] as const, { minLength: 2 });
  fc.assert(
    fc.property(acts, acts, fc.constantFrom(...CASES.slice(3)), (there, back, [, object, place]) => {
      let now = object;
      for (const act of there) now = act === 'quiet' ? written(suspend(now, 'r1')) : on(now, place);
      expect(capturedForm(now)).toEqual(capturedForm(object));
      expect((now['spec'] as { replicas: number }).replicas).toBe(0);
      for (const act of back) now = act === 'quiet' ? written(resume(now, 'r1')) : off(now);
      expect(now).toEqual(object);
    }),
  );
});

function written(answer: ReturnType<typeof suspend>): KubeObject {
  if (answer.kind !== 'write') throw new Error(answer.why);
  return answer.object;
}
