import type { KubeObject } from '../../src/model/index.ts';
import { testSandbox } from './cluster.ts';
import { type Doorman, doorman } from './doorman.ts';
import { kubectlFor } from './kubectl.ts';
import { type Shop, shop } from './shop.ts';

/** Two ConfigMaps, captured as `good` and bad by now, and runs that a test holds at doors of their hooks. */
export interface HeldStack {
  readonly here: Shop;
  readonly door: Doorman;
  /** Ids of what was captured. */
  readonly good: string;
  readonly bad: string;
  apply(v: string): Promise<void>;
  idNow(): Promise<string>;
  remove(): Promise<void>;
}

/** A run goes through the door before anything is changed (its way back: `/unpause`), and after everything was. */
export type Door = 'pause' | 'resume';

const HOOKS: Readonly<Record<Door, (url: string) => string>> = {
  pause: (url) => `    - name: pause
      phase: frozen
      timeout: 2m
      action: { kind: http, target: { url: ${url}/pause } }
      reverse: { kind: http, target: { url: ${url}/unpause } }
`,
  resume: (url) => `    - name: resume
      phase: resumed
      timeout: 2m
      action: { kind: http, target: { url: ${url}/resume } }
`,
};

/** `settings` are lines of YAML as for `shop`. */
export async function heldStack(prefix: string, doors: readonly Door[], settings = ''): Promise<HeldStack> {
  const door = await doorman();
  const hooks = doors.map((name) => HOOKS[name](door.url)).join('');
  const here = await shop(prefix, `${settings}  backstay:hooks:\n${hooks}`);
  const kubectl = await kubectlFor((await testSandbox()).kubeconfig);
  const configMap = (name: string, v: string): KubeObject => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: here.namespace },
    data: { v },
  });
  const apply = async (v: string): Promise<void> => {
    const input = { apiVersion: 'v1', kind: 'List', items: [configMap('a', v), configMap('b', v)] };
    await kubectl(['apply', '--server-side', '--force-conflicts', '-f', '-'], { input });
  };
  const idNow = async (): Promise<string> => (await here.capture()).id;
  await apply('good');
  const good = (await here.capture(['--no-checks', '--as', 'good'])).id;
  await apply('bad');
  return {
    here,
    door,
    good,
    bad: await idNow(),
    apply,
    idNow,
    remove: async () => {
      await here.remove();
      await door.close();
    },
  };
}
