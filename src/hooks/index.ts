export { askTarget, type ResolvedTarget, resolveTarget, type TargetDeps, type TargetRequest } from './http-target.ts';
export { type HookContext, type HookResult, runHook } from './run-hook.ts';
export { PLACEHOLDERS, validateTemplate } from './template.ts';
