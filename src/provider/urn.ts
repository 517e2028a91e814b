/** The parts of `urn:pulumi:STACK::PROJECT::TYPE::NAME`; of nested types the last, which is the resource's own. */
export interface UrnParts {
  readonly stack: string;
  readonly project: string;
  readonly type: string;
  readonly name: string;
}

/** Throws TypeError on what is not a URN. */
export function urnParts(urn: string): UrnParts {
  const [head = '', project, types, ...name] = urn.split('::');
  const stack = head.replace(/^urn:pulumi:/, '');
  if (project === undefined || types === undefined || name.length === 0)
    throw new TypeError(`${urn} is not a Pulumi URN`);
  return { stack, project, type: types.slice(types.lastIndexOf('$') + 1), name: name.join('::') };
}
