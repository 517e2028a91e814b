/** Prints one line for each event of a run until it is over, whoever carries it: `node examples/library/follow.ts RUN`. */
import { Backstay } from 'backstay';

await using backstay = await Backstay.open();
for await (const event of backstay.watch(process.argv[2] ?? '')) console.log(`${event.time} ${event.type}`);
