import { runService } from '../kit/run.ts';
import { createPaperless } from './server.ts';

await runService(createPaperless(process.env));
