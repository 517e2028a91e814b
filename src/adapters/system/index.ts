export { createSystemClock } from './clock.ts';
export { createExec, type ExecOptions } from './exec.ts';
export { type ClosableHttpClient, createHttpClient } from './http-client.ts';
export { whoAmI } from './identity.ts';
export { childMark, withoutOrphans } from './orphans.ts';
export { createPrivateFiles } from './private-files.ts';
export { createRunProcesses } from './run-processes.ts';
