import { expect, test } from 'vitest';
import type { Gate } from '../../src/service/access/gate.ts';
import { aPlan } from '../rollback/builders.ts';
import { appFor, gateOfRoles } from '../support/app.ts';
import { journalOf } from '../support/journal.ts';
import { testService } from '../support/service.ts';

test('nobody asks any more whether the caller holds, once a stream has come to its own end', async () => {
  const service = await testService();
  try {
    const plan = aPlan({ steps: [] });
    for (const entry of journalOf(
      [
        { kind: 'run-created', plan, by: { user: 'ada', host: 'desk' } },
        { kind: 'run-ended', outcome: 'succeeded' },
      ],
      'r1',
    ))
      await service.deps.journal.append(entry);
    const watched: AbortSignal[] = [];
    const roles = gateOfRoles();
    const gate: Gate = {
      prove: async (shown) => {
        const proven = await roles.prove(shown);
        if (proven === undefined) return undefined;
        const ended = async (signal: AbortSignal): Promise<void> => {
          watched.push(signal);
          await proven.ended(signal);
        };
        return { ...proven, ended };
      },
    };
    const { ask } = appFor(service.deps, { gate });
    for (let streams = 1; streams <= 3; streams += 1) {
      expect(await (await ask('viewer', 'GET', '/v1/runs/r1/events')).text()).toContain('event: end');
      expect(watched.map(({ aborted }) => aborted)).toEqual(Array.from({ length: streams }, () => true));
    }
  } finally {
    await service.close();
  }
});
