import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import ts from 'typescript';

/**
 * Who may import whom among the folders of src. Nothing but compose.ts joins adapters to what is driven through ports.
 * Files in src itself (version.ts) may be imported by all. docs/architecture.md says why.
 */
export const ARROWS: Readonly<Record<string, readonly string[]>> = {
  model: [],
  errors: ['model'],
  journal: ['model', 'errors'],
  plan: ['model', 'errors'],
  health: ['model', 'errors'],
  ports: ['model', 'journal'],
  rollback: ['checks', 'journal', 'plan', 'health', 'ports', 'model', 'errors'],
  // Both wait for workloads, and health alone knows when one has arrived.
  hooks: ['health', 'ports', 'model', 'errors'],
  // A check reaches its target as a hook does.
  checks: ['hooks', 'health', 'ports', 'model', 'errors'],
  // Bounded, redacted, hashed: what is kept of a failing version. It is given what it may ask.
  evidence: ['health', 'ports', 'model', 'errors'],
  actions: ['evidence', 'rollback', 'hooks', 'checks', 'plan', 'health', 'journal', 'ports', 'model', 'errors'],
  config: ['model', 'errors'],
  // Below the adapters that keep its files, which may not know each other.
  snapshots: ['ports', 'model', 'errors'],
  'adapters/*': ['health', 'ports', 'model', 'errors'],
  // It starts a server for itself, as the sandbox does.
  'adapters/neo4j': ['free-port.ts', 'health', 'ports', 'model', 'errors'],
  'adapters/fs': ['snapshots', 'ports', 'model', 'errors'],
  // They keep entries as the journal writes them, and prove them by the same links.
  'adapters/sqlite': ['journal', 'ports', 'model', 'errors'],
  'adapters/postgres': ['snapshots', 'journal', 'ports', 'model', 'errors'],
  // The engine runs the program and the provider in its own process.
  'adapters/pulumi': ['provider', 'program', 'health', 'ports', 'model', 'errors'],
  provider: ['health', 'ports', 'model', 'errors'],
  program: ['config', 'model', 'errors'],
  // The rim of plain `pulumi up`, as cli/main is that of the command: Pulumi.yaml names it.
  'program (entry)': ['compose.ts', 'program', 'config', 'model', 'errors'],
  // The providers as plugins of their own, started by Pulumi.
  'plugin-main.ts': ['compose.ts', 'provider'],
  toolchain: ['ports', 'model', 'errors'],
  // Programs of its images are found, or fetched, as all others are.
  sandbox: ['free-port.ts', 'adapters/kubernetes', 'toolchain', 'ports', 'model', 'errors'],
  // What a service does by itself, without HTTP: triggers, proposals, notifications, claims, who may what.
  // Issues and webhooks are asked as hooks ask them.
  service: ['actions', 'rollback', 'hooks', 'plan', 'health', 'journal', 'ports', 'model', 'errors'],
  http: ['service', 'actions', 'journal', 'ports', 'model', 'errors'],
  // Asks a service over HTTP. Of the verbs it takes the types of their answers.
  client: ['actions', 'journal', 'model', 'errors'],
  // The two local tools have commands of their own beside the verbs.
  cli: [
    'compose.ts',
    'client',
    'http',
    'service',
    'toolchain',
    'sandbox',
    'actions',
    'config',
    'ports',
    'model',
    'errors',
  ],
  // The verbs for other programs, as cli has them for people.
  library: ['compose.ts', 'actions', 'config', 'journal', 'ports', 'model', 'errors'],
  'index.ts': ['library', 'client', 'actions', 'model', 'errors'],
  // The page, built for browsers: it knows the service by its answers alone. See TYPE_ARROWS.
  web: [],
  'compose.ts': [
    'compose',
    'client',
    'adapters/*',
    'snapshots',
    'provider',
    'program',
    'toolchain',
    'sandbox',
    'service',
    'actions',
    'evidence',
    'rollback',
    'hooks',
    'checks',
    'plan',
    'health',
    'journal',
    'config',
    'ports',
    'model',
    'errors',
  ],
  // Parts of compose.ts, for it alone.
  compose: [
    'client',
    'adapters/*',
    'snapshots',
    'provider',
    'program',
    'toolchain',
    'sandbox',
    'service',
    'actions',
    'evidence',
    'rollback',
    'hooks',
    'checks',
    'plan',
    'health',
    'journal',
    'config',
    'ports',
    'model',
    'errors',
  ],
  'version.ts': [],
  'free-port.ts': [],
};

/**
 * Beside ARROWS: what may be imported only by statements that leave nothing when types are taken away (`import type`,
 * `export type … from`). `import { type X }` is none: it still loads the file.
 */
const TYPE_ARROWS: Readonly<Record<string, readonly string[]>> = {
  web: ['model'],
};

/** Heavy or far-reaching packages, and the only places that may name them. */
export const PACKAGES: readonly { readonly pattern: RegExp; readonly where: readonly string[] }[] = [
  { pattern: /^@pulumi\//, where: ['adapters/pulumi', 'provider', 'program', 'program (entry)'] },
  { pattern: /^@pulumi\/pulumi\/automation/, where: ['adapters/pulumi', 'provider', 'program', 'toolchain'] },
  { pattern: /^@kubernetes\/client-node/, where: ['adapters/kubernetes'] },
  { pattern: /^node:sqlite$/, where: ['adapters/sqlite'] },
  { pattern: /^pg$/, where: ['adapters/postgres', 'sandbox'] },
  { pattern: /^neo4j-driver$/, where: ['adapters/neo4j'] },
  { pattern: /^commander$/, where: ['cli'] },
  { pattern: /^hono(\/|$)|^@hono\//, where: ['http'] },
];

export interface SourceFile {
  /** With forward slashes, relative to src. */
  readonly path: string;
  readonly text: string;
}

/** Every TypeScript file below a folder. */
export function filesBelow(folder: string): readonly SourceFile[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => ({ path: relative(folder, path).split(sep).join('/'), text: readFileSync(path, 'utf8') }));
}

/** The folder, adapter or file of src that a path belongs to. */
export function unitOf(path: string): string {
  const parts = path.split('/');
  if (/^program\/(index|target)\.ts$/.test(path)) return 'program (entry)';
  return parts[0] === 'adapters' ? parts.slice(0, 2).join('/') : parts[0]!;
}

/** What in these files goes against the two tables, one line each: file, what it imports, why it may not. */
export function violations(files: readonly SourceFile[]): readonly string[] {
  return files.flatMap((file) => {
    const unit = unitOf(file.path);
    const allowed = ARROWS[unit] ?? (unit.startsWith('adapters/') ? ARROWS['adapters/*'] : undefined);
    if (allowed === undefined) return [`${file.path}: ${unit} is not in the table of arrows`];
    const forTypes = [...allowed, ...(TYPE_ARROWS[unit] ?? [])];
    const types = TYPE_ARROWS[unit] === undefined ? NONE : typeImportsOf(file);
    return importsOf(file).flatMap((name) => {
      const reached = types.has(name) ? forTypes : allowed;
      const problem = name.startsWith('.') ? arrowProblem(file, unit, reached, name) : packageProblem(unit, name);
      return problem === undefined ? [] : [`${file.path}: ${problem}`];
    });
  });
}

function importsOf(file: SourceFile): readonly string[] {
  return [...new Set(ts.preProcessFile(file.text, true, true).importedFiles.map(({ fileName }) => fileName))];
}

const NONE: ReadonlySet<string> = new Set();

/** What a file imports by statements for types alone, and by no other. */
function typeImportsOf(file: SourceFile): ReadonlySet<string> {
  const source = ts.createSourceFile(file.path, file.text, ts.ScriptTarget.Latest);
  const erased: ts.TextRange[] = source.statements.filter(
    (one) =>
      (ts.isImportDeclaration(one) && one.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword) ||
      (ts.isExportDeclaration(one) && one.isTypeOnly),
  );
  const found = ts.preProcessFile(file.text, true, true).importedFiles;
  const isErased = ({ pos }: ts.FileReference): boolean => erased.some((one) => one.pos <= pos && pos < one.end);
  const loaded = new Set(found.filter((one) => !isErased(one)).map(({ fileName }) => fileName));
  return new Set(found.map(({ fileName }) => fileName).filter((name) => !loaded.has(name)));
}

function arrowProblem(file: SourceFile, unit: string, allowed: readonly string[], name: string): string | undefined {
  const root = resolve('/src');
  const target = relative(root, resolve(dirname(join(root, file.path)), name))
    .split(sep)
    .join('/');
  if (target.startsWith('..')) return `reaches out of src to ${name}`;
  const to = unitOf(target);
  if (to === unit || to === 'version.ts' || allowed.includes(to)) return undefined;
  if (to.startsWith('adapters/') && allowed.includes('adapters/*')) return undefined;
  return `${unit} may not import ${to} (${name})`;
}

function packageProblem(unit: string, name: string): string | undefined {
  const rules = PACKAGES.filter(({ pattern }) => pattern.test(name));
  if (rules.length === 0 || rules.some(({ where }) => where.includes(unit))) return undefined;
  return `${unit} may not import ${name}; only ${rules.at(-1)!.where.join(', ')} may`;
}

/** Lines that read `process.env`, found in the syntax tree: comments and strings do not count. */
export function environmentReads(file: SourceFile): readonly number[] {
  const source = ts.createSourceFile(file.path, file.text, ts.ScriptTarget.Latest);
  const lines: number[] = [];
  const visit = (node: ts.Node): void => {
    if (
      ts.isPropertyAccessExpression(node) &&
      node.name.text === 'env' &&
      ts.isIdentifier(node.expression) &&
      node.expression.text === 'process'
    ) {
      lines.push(source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return lines;
}
