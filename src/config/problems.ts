import type { z } from 'zod';
import { BackstayError, didYouMean } from '../errors/index.ts';
import { nodesAt, type SchemaNode } from './json-schema.ts';
import type { Place, SourceFile } from './source.ts';

/** One thing that is wrong in a file, so that a person can correct it without looking anything up. */
export interface Problem extends Place {
  /** `backstay:hooks[0].phase`; empty for the file as a whole. */
  readonly path: string;
  readonly found: string;
  readonly expected: string;
  readonly hint?: string;
}

type Issue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];

/** A problem before its place is known. */
export interface Finding {
  readonly path: Path;
  readonly found: string;
  readonly expected: string;
  readonly hint?: string;
  readonly of?: 'key' | 'value';
}

/** Turns what zod found into findings: one an unknown key, the nearest branch of a union, and never a secret's text. */
export function findingsOf(issues: readonly Issue[], input: unknown, schema: SchemaNode): Finding[] {
  return issues.flatMap((issue) => fromIssue(issue, issue.path, input, schema));
}

function fromIssue(issue: Issue, path: Path, input: unknown, schema: SchemaNode): Finding[] {
  const value = valueAt(input, path);
  const found = describe(value, isPrivate(schema, path));
  switch (issue.code) {
    case 'unrecognized_keys': {
      const known = nodesAt(schema, path).flatMap((node) => Object.keys(node.properties ?? {}));
      return issue.keys.map((key) => {
        // Another branch of a union may know it.
        const others = known.filter((other) => other !== key);
        return {
          path: [...path, key],
          of: 'key' as const,
          found: `the unknown key ${key}`,
          expected: `one of ${oneOf([...new Set(others)])}`,
          ...hint(key, others),
        };
      });
    }
    case 'invalid_union': {
      if (issue.errors.length === 0) {
        const options = [...new Set(nodesAt(schema, path).map((node) => String(node.const)))];
        return [{ path, found, expected: `one of ${oneOf(options)}`, ...hint(value, options) }];
      }
      const branch = nearestBranch(issue.errors);
      if (branch === undefined) return [{ path, found, expected: issue.message }];
      return branch.flatMap((inner) => fromIssue(inner, [...path, ...inner.path], input, schema));
    }
    case 'invalid_value': {
      const options = issue.values.map(String);
      return [{ path, found, expected: `one of ${oneOf(options)}`, ...hint(value, options) }];
    }
    case 'invalid_type':
      return [{ path, found, expected: issue.message.startsWith('Invalid input') ? issue.expected : issue.message }];
    case 'too_small':
      return [
        { path, found, expected: own(issue) ?? `${issue.inclusive ? 'at least' : 'more than'} ${issue.minimum}` },
      ];
    case 'too_big':
      return [{ path, found, expected: own(issue) ?? `${issue.inclusive ? 'at most' : 'less than'} ${issue.maximum}` }];
    default:
      return [{ path, found, expected: issue.message }];
  }
}

function own(issue: Issue): string | undefined {
  return issue.message.startsWith('Too ') ? undefined : issue.message;
}

/** The one branch whose shape fits best; undefined when none or several come equally near. */
function nearestBranch(branches: readonly (readonly Issue[])[]): readonly Issue[] | undefined {
  const ofRightType = branches.filter(
    (issues) =>
      !issues.some((issue) => issue.path.length === 0 && ['invalid_type', 'invalid_value'].includes(issue.code)),
  );
  const cost = (issues: readonly Issue[]): number =>
    issues.reduce((sum, issue) => sum + (issue.code === 'unrecognized_keys' ? issue.keys.length : 1), 0);
  const [first, second] = ofRightType.toSorted((a, b) => cost(a) - cost(b));
  if (first === undefined || (second !== undefined && cost(first) === cost(second))) return undefined;
  return first;
}

function hint(value: unknown, options: readonly string[]): { hint?: string } {
  const near = typeof value === 'string' ? didYouMean(value, options) : undefined;
  return near === undefined ? {} : { hint: near };
}

function oneOf(options: readonly string[]): string {
  return options.join(', ');
}

function isPrivate(schema: SchemaNode, path: Path): boolean {
  return path.some((_, index) => nodesAt(schema, path.slice(0, index + 1)).some((node) => node.private === true));
}

function describe(value: unknown, isSecret: boolean): string {
  if (value === undefined || value === null) return 'nothing';
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object') return 'a mapping';
  if (isSecret) return typeof value === 'string' ? 'text (not repeated here)' : `a ${typeof value}`;
  if (typeof value !== 'string') return `the ${typeof value} ${JSON.stringify(value)}`;
  return value.length > 60 ? `${JSON.stringify(value.slice(0, 57))}…` : JSON.stringify(value);
}

export function valueAt(input: unknown, path: Path): unknown {
  return path.reduce<unknown>((value, step) => {
    return typeof value === 'object' && value !== null ? (value as Record<PropertyKey, unknown>)[step] : undefined;
  }, input);
}

/** Gives findings their place in the file, in the order of the file. `root` leads to where the checked value stands. */
export function placed(findings: readonly Finding[], source: SourceFile, toFile: (path: Path) => Path): Problem[] {
  return findings
    .map(({ path, of, ...rest }) => {
      const inFile = toFile(path);
      return { ...source.place(inFile, of), path: pathText(inFile), ...rest };
    })
    .toSorted((a, b) => a.line - b.line || a.column - b.column);
}

function pathText(path: Path): string {
  const shown = path[0] === 'config' && path.length > 1 ? path.slice(1) : path;
  return shown
    .map((step, i) => (typeof step === 'number' ? `[${step}]` : i === 0 ? String(step) : `.${String(step)}`))
    .join('');
}

/** One error (of a stack file: STACK_INVALID) for everything that is wrong in a file; `details.problems` holds the list. */
export function invalid(
  file: string,
  problems: readonly Problem[],
  code: 'STACK_INVALID' | 'SERVICE_INVALID' = 'STACK_INVALID',
): BackstayError {
  const lines = problems.map((problem) => {
    const advice = problem.hint === undefined ? '' : ` (did you mean ${problem.hint}?)`;
    const subject = problem.path === '' ? '' : `${problem.path}: `;
    return `${file}:${problem.line}:${problem.column}: ${subject}found ${problem.found}, expected ${problem.expected}${advice}`;
  });
  const [first] = problems;
  return new BackstayError(code, lines.join('\n'), {
    at: { file, ...(first === undefined ? {} : { line: first.line, column: first.column }) },
    details: { problems },
  });
}
