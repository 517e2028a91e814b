import { runService } from '../kit/run.ts';
import { createAlertmanager } from './server.ts';

await runService(createAlertmanager(process.env));
