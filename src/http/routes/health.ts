import type { Routes } from '../context.ts';

/** For whoever starts and watches the service; says nothing about stacks. */
export const health: Routes = (app) => {
  app.get('/livez', (c) => c.text('ok'));
};
