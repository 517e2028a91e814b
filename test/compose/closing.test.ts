import { expect, test } from 'vitest';
import { compose } from '../../src/compose.ts';
import { machine } from '../support/backstay.ts';
import { aStackFile } from '../support/service.ts';

test('what is still being opened when a composition is closed is closed as well', async () => {
  const here = await machine();
  await here.stack('demo', aStackFile());
  const composition = await compose({ stack: 'demo', env: here.env, cwd: here.projectDir });
  // As where two are opened at once, and the other one fails first.
  const opening = composition.journal();
  await composition.close();
  const journal = await opening;
  await expect(journal.runs()).rejects.toMatchObject({ cause: { message: 'statement has been finalized' } });
  await here.remove();
}, 60_000);
