import { BlockList } from 'node:net';
import { z } from 'zod';
import { ACCESS_ROLES } from '../model/index.ts';
import { duration, text, textList } from './fields.ts';

const ADDRESS = 'HOST:PORT, such as 127.0.0.1:7787 or [::1]:7787';

const listen = z
  .string({ error: ADDRESS })
  .regex(/^(\[[0-9a-fA-F:.]+\]|[^:[\]\s]+):\d{1,5}$/, { error: ADDRESS })
  .refine((given) => Number(given.slice(given.lastIndexOf(':') + 1)) <= 65_535, { error: ADDRESS });

/** An address or a block of them, as BlockList takes it. */
const network = z.string({ error: 'an address or a CIDR block' }).refine(isNetwork, {
  error: 'an address or a CIDR block, such as 10.0.0.5 or 10.0.0.0/8',
});

function isNetwork(given: string): boolean {
  const [address = '', bits] = given.split('/');
  const family = address.includes(':') ? 'ipv6' : 'ipv4';
  try {
    if (bits === undefined) new BlockList().addAddress(address, family);
    else new BlockList().addSubnet(address, /^\d{1,3}$/.test(bits) ? Number(bits) : -1, family);
    return true;
  } catch {
    return false;
  }
}

const httpsUrl = z.string({ error: 'an https URL' }).refine(
  (given) => {
    if (!URL.canParse(given)) return false;
    const { protocol, hostname } = new URL(given);
    // On this machine nobody sits between.
    return protocol === 'https:' || (protocol === 'http:' && ['localhost', '127.0.0.1', '[::1]'].includes(hostname));
  },
  { error: 'an https URL (http only on loopback)' },
);

const rule = z.strictObject(
  {
    claims: z
      .record(text, text, { error: 'claims with the value that each must have' })
      .refine((given) => Object.keys(given).length > 0, {
        error: 'at least one claim: a rule without is for everybody',
      })
      .describe('All of them must fit; * matches any run of characters.'),
    role: z.enum(ACCESS_ROLES),
    stacks: textList.min(1, { error: 'at least one stack' }).describe('Names, with * as wildcard.'),
    approves: textList.exactOptional().describe("Roles of a stack's approval policy in which this one may decide."),
  },
  { error: '{claims, role, stacks, approves?}' },
);

const issuer = z.strictObject(
  {
    issuer: httpsUrl.describe('As its tokens say it.'),
    jwks: text
      .exactOptional()
      .describe('URL or file of its keys. Default: where /.well-known/openid-configuration says.'),
    audience: text.describe('What tokens for this service are made out to.'),
    person: text.exactOptional().describe('The claim that names the person behind a token: email, actor.'),
    rules: z.array(rule, { error: 'a list of rules' }).min(1, { error: 'at least one rule' }),
  },
  { error: '{issuer, audience, rules, jwks?, person?}' },
);

/** `backstay.service.yaml`. service-settings.ts turns it into ServiceSettings. */
export const serviceSchema = z.strictObject(
  {
    listen: listen.default('127.0.0.1:7787').describe('Where requests are taken.'),
    tls: z
      .strictObject({ cert: text, key: text }, { error: '{cert, key}: files in PEM' })
      .exactOptional()
      .describe('Files in PEM: the certificate with its chain, and its key.'),
    proxy: z
      .strictObject({ trusted: z.array(network).min(1, { error: 'at least one address' }) }, { error: '{trusted}' })
      .exactOptional()
      .describe('A proxy that ends TLS before us, and the addresses that it comes from.'),
    hosts: textList.default([]).describe('Names by which people reach it: backstay.example or backstay.example:8443.'),
    oidc: z.array(issuer, { error: 'a list of issuers' }).default([]),
    limits: z
      .strictObject(
        {
          runs: z.int().min(1).max(100).default(4).describe('Runs at a time that this service carries.'),
          requestsPerMinute: z.int().min(10).max(100_000).default(600).describe('Of one principal.'),
          streams: z
            .int()
            .min(1)
            .max(10_000)
            .default(500)
            .describe('Streams of events that one principal may have open.'),
        },
        { error: '{runs, requestsPerMinute, streams}' },
      )
      .prefault({}),
    retention: z
      .strictObject(
        {
          decisions: duration.default('90d'),
          deliveries: duration.default('30d'),
          plans: duration.default('30d'),
        },
        { error: '{decisions, deliveries, plans}' },
      )
      .prefault({})
      .describe('How long records are kept after they were settled.'),
  },
  { error: 'a mapping of settings' },
);

export type RawServiceSettings = z.infer<typeof serviceSchema>;
