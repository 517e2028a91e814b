import { connect } from 'node:net';

// Stands for one of Neo4j's programs: hands its arguments to the warm JVM, says what that says and ends as it does.
const [socket, what, ...args] = process.argv.slice(2);
const link = connect({ path: socket, allowHalfOpen: true });
link.write(`${[what, process.env.NEO4J_HOME, process.env.NEO4J_CONF, ...args].join('\n')}\n\n`);
process.once('SIGTERM', () => link.end());
let said = '';
link.setEncoding('utf8').on('data', (text) => (said += text));
link.once('error', () => process.exit(137));
link.once('close', () => process.exit(137));
link.once('end', () => {
  const [words = '', code = '137'] = said.split('\0');
  process.stdout.write(words, () => process.exit(Number(code)));
});
