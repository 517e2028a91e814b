/** A service of Backstay, asked over HTTP: what the command line, the GitHub Action and other programs use. */
export type * from './answers.ts';
export { type Attending, attendRun } from './attend.ts';
export { createClient, type ServiceClient } from './client.ts';
export type { ClientSettings, Fetch } from './transport.ts';
