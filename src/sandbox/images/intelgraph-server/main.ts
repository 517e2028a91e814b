import { findAlembic } from '../../../toolchain/alembic.ts';
import { POD_ENV } from '../../contract.ts';
import { runService } from '../kit/run.ts';
import { createIntelgraph } from './server.ts';

await runService(createIntelgraph(process.env, { alembic: findAlembic, app: `${process.env[POD_ENV.data]}/app` }));
