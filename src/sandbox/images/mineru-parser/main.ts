import { runService } from '../kit/run.ts';
import { createMineru } from './server.ts';

await runService(createMineru(process.env));
