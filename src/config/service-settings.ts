import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { BackstayError } from '../errors/index.ts';
import type { OidcIssuer, ServiceSettings } from '../model/index.ts';
import { readEnvironment, type Variables } from './environment.ts';
import { milliseconds } from './fields.ts';
import type { SchemaNode } from './json-schema.ts';
import { expandPath } from './paths.ts';
import { findingsOf, invalid, placed } from './problems.ts';
import { type RawServiceSettings, serviceSchema } from './service-schema.ts';
import { parseSource } from './source.ts';

const USUAL = 'backstay.service.yaml';

export interface ServiceSettingsOptions {
  readonly env: Variables;
  readonly cwd: string;
  /** As it was typed, relative to the working folder. Absent: `backstay.service.yaml` in the project, where there is one. */
  readonly file?: string;
  /** HOST:PORT instead of what the file says. */
  readonly listen?: string;
}

/** Errors: SERVICE_INVALID, once, with every problem in `details.problems`; USAGE when a file that was named is not there. */
export async function loadServiceSettings(options: ServiceSettingsOptions): Promise<ServiceSettings> {
  const { env, cwd } = options;
  const environment = readEnvironment(env, cwd);
  const file = options.file === undefined ? join(environment.projectDir, USUAL) : resolve(cwd, options.file);
  const raw = checked(await textOf(file, options.file !== undefined), file);
  const inProject = (path: string): string => expandPath(path, environment.projectDir, environment);
  return compiled({ ...raw, ...(options.listen === undefined ? {} : { listen: given(options.listen) }) }, inProject);
}

async function textOf(file: string, isNamed: boolean): Promise<string> {
  return await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' && !isNamed) return '{}';
    throw new BackstayError('USAGE', `${file} cannot be read (${error.code ?? error.name}).`, { cause: error });
  });
}

function checked(text: string, file: string): RawServiceSettings {
  const source = parseSource(text);
  if (source.faults.length > 0) {
    const problems = source.faults.map(({ place, message }) => {
      return { ...place, path: '', found: message, expected: 'valid YAML' };
    });
    throw invalid(file, problems, 'SERVICE_INVALID');
  }
  const value = source.value ?? {};
  const result = serviceSchema.safeParse(value);
  if (result.success) return result.data;
  const schema = z.toJSONSchema(serviceSchema, { io: 'input' }) as SchemaNode;
  throw invalid(
    file,
    placed(findingsOf(result.error.issues, value, schema), source, (path) => path),
    'SERVICE_INVALID',
  );
}

/** Of `--listen`. */
function given(listen: string): string {
  const { success, data } = serviceSchema.shape.listen.safeParse(listen);
  if (success) return data;
  throw new BackstayError('USAGE', `--listen ${listen} is not HOST:PORT, such as 127.0.0.1:7787 or [::1]:7787.`);
}

function compiled(raw: RawServiceSettings, inProject: (path: string) => string): ServiceSettings {
  const { tls, proxy, hosts, limits, retention } = raw;
  const colon = raw.listen.lastIndexOf(':');
  return {
    listen: { host: raw.listen.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(raw.listen.slice(colon + 1)) },
    ...(tls === undefined ? {} : { tls: { cert: inProject(tls.cert), key: inProject(tls.key) } }),
    ...(proxy === undefined ? {} : { proxy }),
    hosts,
    oidc: raw.oidc.map(({ jwks, ...issuer }): OidcIssuer => {
      if (jwks === undefined || /^https?:/.test(jwks)) return { ...issuer, ...(jwks === undefined ? {} : { jwks }) };
      return { ...issuer, jwks: inProject(jwks) };
    }),
    limits,
    retention: {
      decisionsMs: milliseconds(retention.decisions),
      deliveriesMs: milliseconds(retention.deliveries),
      plansMs: milliseconds(retention.plans),
    },
  };
}
