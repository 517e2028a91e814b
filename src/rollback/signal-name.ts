/** Of what a run was stopped with: its reason is `new Error('SIGTERM')`, or what the system gave. */
export function signalName(reason: unknown): string {
  const said = reason instanceof Error ? reason.message : String(reason);
  return said.includes('SIGTERM') ? 'SIGTERM' : 'SIGINT';
}
