import { runService } from '../kit/run.ts';
import { createUi } from './server.ts';

await runService(createUi(process.env));
