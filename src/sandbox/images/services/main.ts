import { runService } from '../kit/run.ts';
import { createServices } from './server.ts';

await runService(createServices(process.env));
