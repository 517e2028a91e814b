import { runService } from '../kit/run.ts';
import { createGateway } from './server.ts';

await runService(createGateway(process.env));
