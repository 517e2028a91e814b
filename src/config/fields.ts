import { z } from 'zod';
import { SCOPES } from '../model/index.ts';

/*
 * The parts that several settings share. Each `error` text says what was expected, in the words of the problem list
 * (`expected …`). A field marked `private` in its metadata may hold a secret put there by mistake: its value is never
 * repeated in a message.
 */

export const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;

export const duration = z
  .string({ error: 'a duration with its unit, such as 500ms, 30s, 5m or 1h' })
  .regex(DURATION, { error: 'a duration with its unit, such as 500ms, 30s, 5m or 1h' })
  .describe('A duration with its unit: ms, s, m, h or d.');

/** What `duration` let pass, as a number. */
export function milliseconds(text: string): number {
  const [, amount, unit] = DURATION.exec(text) ?? [];
  const factor = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }[unit ?? 'ms'] ?? 1;
  return Math.round(Number(amount) * factor);
}

/** The Lease counts in whole seconds; below one, renewals would be missed on any busy machine. */
export const leaseDuration = duration.refine(
  (given) => milliseconds(given) % 1000 === 0 && milliseconds(given) >= 1000 && milliseconds(given) <= 600_000,
  { error: 'whole seconds from 1s to 10m' },
);

/** `pulumi config set` writes every plain value as text, so `"true"` means true. */
export const flag = z.union([z.boolean(), z.enum(['true', 'false'])], { error: 'true or false' });

export function isOn(raw: boolean | 'true' | 'false'): boolean {
  return raw === true || raw === 'true';
}

export const text = z.string({ error: 'text' }).min(1, { error: 'text that is not empty' });

export const textList = z.array(text, { error: 'a list of texts' });

/** What Kubernetes accepts as a namespace. */
export const namespace = z
  .string({ error: 'a namespace' })
  .regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, { error: 'a namespace (lower-case letters, digits and -)' });

export const scopes = z
  .array(z.enum(SCOPES), { error: 'a list of scopes' })
  .describe('Only in runs of these scopes. Default: all.');

export const keySource = z
  .union(
    [
      z.strictObject({ env: text.describe('Name of an environment variable.') }),
      z.strictObject({ file: text.describe('Path; relative to the project; ~ and $XDG_CONFIG_HOME are known.') }),
    ],
    { error: '{env: NAME} or {file: PATH}, never the value itself' },
  )
  .meta({ private: true, description: 'Where a value comes from that must not stand in this file.' });

/** `Kind/name`, `Kind/namespace/name` or only a name; `*` matches any run of characters. */
export const pattern = z
  .union(
    [
      z.string().regex(/^[^/\s]+(\/[^/\s]+){0,2}$/, { error: 'NAME, Kind/NAME or Kind/NAMESPACE/NAME' }),
      z.strictObject({ kind: text.exactOptional(), name: text.exactOptional(), namespace: text.exactOptional() }),
    ],
    { error: 'NAME, Kind/NAME or Kind/NAMESPACE/NAME (with * as wildcard), or {kind, name, namespace}' },
  )
  .describe('Which objects: NAME, Kind/NAME or Kind/NAMESPACE/NAME, with * as wildcard.');

export const patterns = z.array(pattern, { error: 'a list of object patterns' });

const port = z.union([z.int().min(1).max(65_535), text], { error: 'a port number (1 to 65535) or name' });

export const httpTarget = z
  .strictObject(
    {
      url: text.describe('Path with query when `via` is given (/health), else an absolute URL.'),
      via: z
        .union(
          [
            z.strictObject({ service: text, port, namespace: namespace.exactOptional() }),
            z.strictObject({ ingress: text, namespace: namespace.exactOptional(), host: text.exactOptional() }),
          ],
          { error: '{service, port, namespace?} or {ingress, namespace?, host?}' },
        )
        .exactOptional()
        .describe('Reaches into the cluster: through the API server to a Service, or by the address of an Ingress.'),
    },
    { error: '{url: …, via: …}' },
  )
  .check(({ value, issues }) => {
    const fits = value.via === undefined ? /^https?:\/\/[^/]/.test(value.url) : value.url.startsWith('/');
    if (fits) return;
    const message =
      value.via === undefined
        ? 'an absolute http or https URL, since there is no `via`'
        : 'a path such as /health, since `via` says where';
    issues.push({ code: 'custom', path: ['url'], message, input: value.url });
  })
  .describe('Where a request goes.');

export const accept = z
  .array(z.int().min(100).max(599), { error: 'a list of HTTP status codes' })
  .min(1, { error: 'at least one HTTP status code' });
