import { runService } from '../kit/run.ts';
import { createEcho } from './server.ts';

await runService(createEcho(process.env));
