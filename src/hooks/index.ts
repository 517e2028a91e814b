export {
  askTarget,
  outsideTarget,
  type ResolvedTarget,
  resolveTarget,
  type TargetDeps,
  type TargetRequest,
} from './http-target.ts';
export { askIssues, type IssueAnswer, type IssuePlace, markedIn, NEWEST_ISSUES } from './issue-api.ts';
export { postToWebhook } from './incoming-webhook.ts';
export { type HookContext, type HookResult, runHook } from './run-hook.ts';
export { PLACEHOLDERS, validateTemplate } from './template.ts';
