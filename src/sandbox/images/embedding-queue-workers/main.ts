import { runService } from '../kit/run.ts';
import { createWorkers } from './server.ts';

await runService(createWorkers(process.env));
