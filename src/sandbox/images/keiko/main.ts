import { runService } from '../kit/run.ts';
import { createKeiko } from './server.ts';

await runService(createKeiko(process.env));
