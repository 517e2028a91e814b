import { z } from 'zod';
import { PREFIX, settingsSchema } from './schema.ts';

/** The part of a JSON Schema that is walked here. */
export interface SchemaNode {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly items?: SchemaNode;
  readonly anyOf?: readonly SchemaNode[];
  readonly oneOf?: readonly SchemaNode[];
  readonly private?: boolean;
  readonly [keyword: string]: unknown;
}

/** JSON Schema of the settings without prefix, as people write them (defaults are optional). */
export function settingsJsonSchema(): SchemaNode {
  return z.toJSONSchema(settingsSchema, { io: 'input' }) as SchemaNode;
}

/** JSON Schema of a whole stack file, for editors. Pulumi's own keys are let through unread. */
export function stackFileJsonSchema(): Record<string, unknown> {
  const whole = z.toJSONSchema(settingsSchema, { io: 'input', reused: 'ref' });
  const { $schema, $defs, properties = {}, required } = whole;
  const prefixed = Object.fromEntries(Object.entries(properties).map(([key, value]) => [PREFIX + key, value]));
  return {
    $schema,
    $id: 'https://backstay.dev/schema/stack.json',
    title: 'Backstay stack file (stacks/Pulumi.STACK.yaml)',
    description: 'Made from src/config/schema.ts by scripts/stack-schema.ts. Do not edit.',
    type: 'object',
    properties: {
      secretsprovider: { type: 'string', description: "Pulumi's secrets provider." },
      encryptionsalt: { type: 'string', description: 'Written by Pulumi.' },
      encryptedkey: { type: 'string', description: 'Written by Pulumi.' },
      config: {
        type: 'object',
        properties: prefixed,
        required: (required ?? []).map((key) => PREFIX + key),
        propertyNames: { anyOf: [{ enum: Object.keys(prefixed) }, { not: { pattern: `^${PREFIX}` } }] },
      },
    },
    required: ['config'],
    $defs,
  };
}

/** The nodes of a schema that can stand at a path, all branches of its unions taken. */
export function nodesAt(schema: SchemaNode, path: readonly PropertyKey[]): readonly SchemaNode[] {
  let nodes = branches(schema);
  for (const step of path) {
    nodes = nodes.flatMap((node) => {
      const next = typeof step === 'number' ? node.items : node.properties?.[String(step)];
      return next === undefined ? [] : branches(next);
    });
  }
  return nodes;
}

function branches(node: SchemaNode): SchemaNode[] {
  const inner = [...(node.anyOf ?? []), ...(node.oneOf ?? [])];
  if (inner.length === 0) return [node];
  return inner.flatMap(branches).map((branch) => (node.private === true ? { ...branch, private: true } : branch));
}
