import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keyOf, type KubeObject, refOf } from '../../../src/model/index.ts';
import type { Cluster, EngineUpdate } from '../../../src/ports/index.ts';
import { configMap } from '../../provider/kubernetes/harness.ts';
import { testCluster, testNamespace } from '../../support/cluster.ts';
import { type Machine, machine, update } from './fixture.ts';

/** Pulumi's own plan of an update, made right before it: an update that turns out otherwise is refused. */
describe('an update that is bound to a saved plan', () => {
  let cluster: Cluster;
  let space: Awaited<ReturnType<typeof testNamespace>>;
  let here: Machine;

  beforeAll(async () => {
    ({ cluster } = await testCluster());
    space = await testNamespace('saved-plan');
    here = await machine({ savedPlan: true });
  });
  afterAll(async () => {
    await Promise.all([space.remove(), here.remove()]);
  });
  const object = (v: string): KubeObject => configMap(space.name, 'settings', { v });
  const valueNow = async (): Promise<unknown> => (await cluster.get(refOf(object(''))))?.['data'];

  it('does what was foreseen', async () => {
    expect((await here.engine.up(update([object('one')]))).created).toEqual([keyOf(object('one'))]);
    expect((await here.engine.up(update([object('two')]))).updated).toEqual([keyOf(object('two'))]);
    expect(await valueNow()).toEqual({ v: 'two' });
  });

  it('is refused, by what differs, when the program is another one than foreseen', async () => {
    const foreseen = update([object('three')]);
    const programs = [foreseen.objects, [object('something else')]];
    const shifting: EngineUpdate = {
      ...foreseen,
      get objects() {
        return programs.shift() ?? [];
      },
    };
    const { failed, updated } = await here.engine.up(shifting);
    expect(failed).toEqual([
      { key: keyOf(object('')), message: expect.stringMatching(/violates plan\): data changed since/) },
    ]);
    expect(updated).toEqual([]);
    // Values may be secret ones: they are not repeated.
    expect(JSON.stringify(failed)).not.toMatch(/three|something else/);
    expect(await valueNow()).toEqual({ v: 'two' });
  });
});
