import { runService } from '../kit/run.ts';
import { createOrchestrator } from './server.ts';

await runService(createOrchestrator(process.env));
