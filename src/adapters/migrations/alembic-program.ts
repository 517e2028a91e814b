/**
 * Finds the interpreter that an `alembic` on PATH runs under: its first line, or the Python beside it (behind a launcher
 * whose path is too long for a first line).
 */
export const WITH_PYTHON = `
tool=$(command -v "$1") || exit 127
shift
IFS= read -r line <"$tool"
case $line in '#!'*python*) exec \${line#??} -c "$@" ;; esac
real=$(readlink -f "$tool" 2>/dev/null || printf %s "$tool")
for python in "\${real%/*}/python3" "\${real%/*}/python"; do
  if [ -x "$python" ]; then exec "$python" -c "$@"; fi
done
exit 127
`.trim();

/**
 * Asks Alembic itself, by its own command line's way to its configuration, and so whatever the version: what the database
 * has, what the scripts know, what statements a way consists of. The commands' texts are for people and lack half of it.
 *
 * What the environment's own script prints goes to the error stream. The answer is one line, packed: pods' answers are limited.
 */
export const ALEMBIC_PROGRAM = `
import ast, base64, hashlib, io, json, os, sys, zlib
out = os.dup(1)
os.dup2(2, 1)
from alembic import command
from alembic.config import CommandLine
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory

mode, first, second, *options = sys.argv[1:]
IDENTITY = """SELECT current_database(), (SELECT oid FROM pg_database WHERE datname = current_database())::text,
  to_char(pg_postmaster_start_time() AT TIME ZONE 'UTC', 'YYYYMMDDHH24MISSUS')"""

def standing(config, script):
    seen = []
    def look(heads, context):
        connection = context.connection
        database = None
        if connection is not None and connection.dialect.name == 'postgresql':
            database = [str(part) for part in connection.exec_driver_sql(IDENTITY).one()]
        seen.append({'heads': sorted(heads), 'database': database})
        return []
    with EnvironmentContext(config, script, fn=look, dont_mutate=True):
        script.run_env()
    return seen

def is_reversible(revision, text):
    if getattr(revision.module, 'irreversible', False):
        return False
    bodies = {one.name: [each for each in one.body if not (isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant))]
              for one in ast.parse(text).body if isinstance(one, ast.FunctionDef)}
    empty = lambda body: all(isinstance(each, ast.Pass) for each in body)
    down = bodies.get('downgrade')
    if down is None or any(isinstance(each, ast.Raise) for each in down):
        return False
    return not empty(down) or empty(bodies.get('upgrade', []))

def history(script):
    rows = []
    for revision in script.walk_revisions():
        with open(revision.path, 'rb') as file:
            text = file.read()
        before = revision.down_revision or ()
        rows.append([revision.revision, (revision.doc or '')[:120], [before] if isinstance(before, str) else list(before),
                     is_reversible(revision, text), hashlib.sha256(text).hexdigest()])
    return rows

def statements(config):
    config.output_buffer = io.StringIO()
    if mode == 'down':
        command.downgrade(config, first + ':' + second, sql=True)
    else:
        command.upgrade(config, second if first == 'base' else first + ':' + second, sql=True)
    return hashlib.sha256(config.output_buffer.getvalue().encode()).hexdigest()

class Asking(CommandLine):
    def run_cmd(self, config, options):
        if mode in ('down', 'up'):
            self.answer = {'statements': statements(config)}
            return
        script = ScriptDirectory.from_config(config)
        self.answer = {'standing': standing(config, script)}
        if mode == 'history':
            self.answer['history'] = history(script)

asking = Asking()
asking.main(argv=[*options, 'current'])
os.write(out, base64.b64encode(zlib.compress(json.dumps(asking.answer).encode())) + b'\\n')
`.trim();
