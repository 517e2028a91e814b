/**
 * Takes a stack back and says how it went: `node examples/library/take-back.ts STACK TARGET REASON`. Exits as the command
 * line does: 0 done and validated, 6 an approval is needed, and so on.
 */
import { Backstay, isBackstayError } from 'backstay';

const [stack = '', target = 'known-good', reason = 'asked for by a program'] = process.argv.slice(2);

await using backstay = await Backstay.open();
try {
  const planned = await backstay.plan(stack, { target, reason });
  if (planned.kind === 'nothing-to-do') {
    console.log(JSON.stringify({ outcome: planned.kind, target: planned.target.id }));
  } else {
    const { changes, risk } = planned.plan;
    console.error(`${changes.length} objects change, risk ${risk}`);
    const ended = await backstay.rollback(planned.plan, {
      trigger: 'pipeline',
      onEvent: (event) => {
        if (event.type === 'step.started') console.error(`${event.phase}: ${event.title}`);
      },
    });
    console.log(JSON.stringify(ended.kind === 'ended' ? { run: ended.run, outcome: ended.outcome } : ended));
    process.exitCode = ended.exitCode;
  }
} catch (error) {
  if (!isBackstayError(error)) throw error;
  console.error(`${error.code}: ${error.message}\nnext: ${error.next}`);
  process.exitCode = error.exitCode;
}
