import { openService } from '../../src/compose.ts';
import type { ServiceDeps } from '../../src/service/deps.ts';
import { type Machine, type MachineOptions, machine } from './backstay.ts';

/** What a service of a test stands on: real stores in folders of their own, and the CLI on the same machine. */
export interface TestService {
  readonly deps: ServiceDeps;
  readonly machine: Machine;
  /** Another one on the same stores, as a second service or machine has it. Closed with the rest. */
  readonly another: () => Promise<ServiceDeps>;
  /** Closes all that was opened, and removes the machine where it was made here. */
  readonly close: () => Promise<void>;
}

export interface TestServiceOptions extends MachineOptions {
  /** Stack files to begin with: name to YAML (`aStackFile`). No cluster is asked until somebody asks the stack. */
  readonly stacks?: Readonly<Record<string, string>>;
}

/** On a machine of its own, without a cluster unless `env` names a kubeconfig. */
export async function testService(options: TestServiceOptions = {}): Promise<TestService> {
  const { stacks = {}, ...machineOptions } = options;
  const here = await machine(machineOptions);
  for (const [name, yaml] of Object.entries(stacks)) await here.stack(name, yaml);
  const service = await serviceOn(here);
  return {
    ...service,
    close: async () => {
      await service.close();
      await here.remove();
    },
  };
}

/** On a machine that a test has already (`shop.machine`); its cluster is the one that the machine's KUBECONFIG names. */
export async function serviceOn(here: Machine): Promise<TestService> {
  const opened: Awaited<ReturnType<typeof openService>>[] = [];
  const open = async (): Promise<ServiceDeps> => {
    const deps = await openService({ env: here.env, cwd: here.projectDir });
    opened.push(deps);
    return deps;
  };
  return {
    deps: await open(),
    machine: here,
    another: open,
    close: async () => {
      await Promise.all(opened.splice(0).map(async (deps) => await deps.close()));
    },
  };
}

/** A stack file with a namespace; `settings` are further lines of YAML below `config:`, each indented by two blanks. */
export function aStackFile(settings = '', namespace = 'shop'): string {
  return `config:\n  backstay:namespaces: [${namespace}]\n${settings}`;
}
