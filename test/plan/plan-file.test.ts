import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type BackstayError, isBackstayError } from '../../src/errors/index.ts';
import { type Change, keyOf, type KubeObject, type Plan } from '../../src/model/index.ts';
import { comparePlans, planFileText, readPlanFile } from '../../src/plan/index.ts';
import { aPlan, aStep } from '../rollback/builders.ts';

const configMap = (name: string, v: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'shop' },
  data: { v, 'ü"\\': 'é\n☃' },
});
const changeOf = (name: string): Change => {
  const object = configMap(name, 'a');
  const ref = { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'shop', name };
  return { key: keyOf(object), ref, action: 'update', fields: [], live: object, takesOver: [] };
};
const PLAN: Plan = aPlan({
  changes: ['a', 'b', 'c'].map(changeOf),
  desired: [configMap('a', 'b'), configMap('b', 'b')],
  steps: [aStep('one', 'locked'), aStep('two', 'applied')],
  warnings: ['mind the gap'],
});
const TEXT = planFileText(PLAN);
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function refusal(content: Uint8Array): BackstayError {
  try {
    readPlanFile(content, '/p.json');
  } catch (error) {
    if (isBackstayError(error)) return error;
    throw error;
  }
  throw new TypeError('it was taken');
}

const edited = (edit: (file: { plan: Plan } & Record<string, unknown>) => void): Uint8Array => {
  const file = JSON.parse(TEXT) as { plan: Plan } & Record<string, unknown>;
  edit(file);
  return bytes(`${JSON.stringify(file, null, 2)}\n`);
};
type Loose = Record<string, Record<string, unknown> & Record<string, unknown>[]>;

describe('a plan file', () => {
  test('is read as it was written', () => {
    expect(readPlanFile(bytes(TEXT), '/p.json')).toEqual(PLAN);
  });

  test.each<[string, (plan: Loose) => void]>([
    ['changes[2] (configmap/c) was altered', (plan) => Object.assign(plan['changes']?.[2] ?? {}, { action: 'delete' })],
    ['desired[1] (configmap/b) was altered', (plan) => Object.assign(plan['desired']?.[1] ?? {}, { data: { v: 'x' } })],
    ['steps[0] (one) was altered', (plan) => Object.assign(plan['steps']?.[0] ?? {}, { risk: 'high' })],
    ['options.emergency was altered', (plan) => Object.assign(plan['options'] ?? {}, { emergency: true })],
    ['warnings[0] was altered', (plan) => Object.assign(plan, { warnings: ['all is well'] })],
    ['plan.warnings[0] is missing', (plan) => Object.assign(plan, { warnings: [] })],
    ['stack was altered', (plan) => Object.assign(plan, { stack: 'other' })],
    ['approval.count was added', (plan) => Object.assign(plan, { approval: { count: 0 } })],
    ['plan.hash was altered', (plan) => Object.assign(plan, { hash: `sha256:${'0'.repeat(64)}` })],
  ])('names that %s', (what, edit) => {
    const error = refusal(edited(({ plan }) => edit(plan as unknown as Loose)));
    expect(error).toMatchObject({ code: 'PLAN_ALTERED', exitCode: 7 });
    expect(error.message).toContain(what);
  });

  test('names the list of digests when it is that which was changed', () => {
    const error = refusal(edited((file) => Object.assign(file['parts'] as object, { stack: 'sha256:0' })));
    expect(error.message).toContain('parts["stack"] was altered');
  });

  test('names line and column where it is no JSON', () => {
    const at = TEXT.indexOf('"steps"');
    const error = refusal(bytes(`${TEXT.slice(0, at)}?${TEXT.slice(at)}`));
    expect(error.at).toEqual({ file: '/p.json', line: TEXT.slice(0, at).split('\n').length, column: 5 });
  });

  test('names line and column where only the writing is another', () => {
    const error = refusal(bytes(TEXT.replace('{\n', '{ \n')));
    expect(error.at).toEqual({ file: '/p.json', line: 1, column: 2 });
  });

  test('of another format is refused as such', () => {
    expect(refusal(edited((file) => Object.assign(file, { format: 2 })))).toMatchObject({
      code: 'PLAN_FORMAT',
      exitCode: 7,
    });
  });

  test('is refused with any byte changed, taken away or added', () => {
    const whole = bytes(TEXT);
    const edit = fc.record({
      at: fc.nat(whole.length - 1),
      kind: fc.constantFrom('change', 'remove', 'insert'),
      byte: fc.nat(255),
    });
    fc.assert(
      fc.property(edit, ({ at, kind, byte }) => {
        fc.pre(kind !== 'change' || whole[at] !== byte);
        const rest = whole.slice(kind === 'insert' ? at : at + 1);
        const other = Uint8Array.from([...whole.slice(0, at), ...(kind === 'remove' ? [] : [byte]), ...rest]);
        const error = refusal(other);
        expect(['PLAN_ALTERED', 'PLAN_FORMAT']).toContain(error.code);
        expect(error.message.length).toBeGreaterThan('/p.json: '.length);
      }),
      { numRuns: 500 },
    );
  });
});

test('two plans to one end are compared by what they do', () => {
  const other = aPlan({
    ...PLAN,
    changes: [changeOf('a'), { ...changeOf('b'), action: 'restart' }, changeOf('d')],
    createdAt: 'later',
  });
  expect(comparePlans(PLAN, other)).toEqual([
    '~ change of configmap/b',
    '- change of configmap/c',
    '+ change of configmap/d',
  ]);
});
