import { runService } from '../kit/run.ts';
import { createDocling } from './server.ts';

await runService(createDocling(process.env));
