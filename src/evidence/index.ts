/** What is kept of a failing version before it goes: gathered within limits, redacted, hashed. */
export { Basket, manifestOf, settle } from './basket.ts';
export { eventLine, inOrder, type SeenEvent } from './events.ts';
export { knownSecrets } from './known-secrets.ts';
export { type AskPrometheus, queryRange, queryValue } from './prometheus.ts';
export { redactorOf } from './redact.ts';
export { type EvidenceFinding, verifyEvidence } from './verify.ts';
export { containersOf, worstFirst } from './worst-first.ts';
