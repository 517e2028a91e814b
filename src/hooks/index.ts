export { askTarget, type ResolvedTarget, resolveTarget, type TargetDeps, type TargetRequest } from './http-target.ts';
export { RESTARTED_FOR, type RestartOptions, restartWorkloads } from './restart.ts';
export { type HookContext, type HookResult, runHook } from './run-hook.ts';
export { PLACEHOLDERS, validateTemplate } from './template.ts';
