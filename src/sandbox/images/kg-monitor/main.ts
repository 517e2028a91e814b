import { runService } from '../kit/run.ts';
import { createMonitor } from './server.ts';

await runService(createMonitor(process.env));
