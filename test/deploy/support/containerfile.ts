export interface Instruction {
  /** In capitals. */
  readonly name: string;
  /** All the rest, with continued lines joined. */
  readonly words: string;
}

/** The instructions of a container definition, without remarks and empty lines. */
export function instructionsOf(text: string): readonly Instruction[] {
  const lines = text.split('\n').filter((line) => !/^\s*(#|$)/.test(line));
  const joined = lines
    .join('\n')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n');
  return joined.map((line) => {
    const [, name = '', words = ''] = /^\s*(\S+)\s*(.*)$/.exec(line) ?? [];
    return { name: name.toUpperCase(), words: words.trim() };
  });
}

/** What in a definition goes against the rules that ours keeps; one line each. */
export function faultsOf(text: string): readonly string[] {
  const all = instructionsOf(text);
  const bases = new Map(
    all
      .slice(
        0,
        all.findIndex(({ name }) => name === 'FROM'),
      )
      .filter(({ name }) => name === 'ARG')
      .map(({ words }) => words.split('=', 2) as [string, string | undefined]),
  );
  const froms = all.filter(({ name }) => name === 'FROM');
  const stages = new Set(froms.map(({ words }) => / AS (\S+)$/i.exec(words)?.[1]));
  const last = all.slice(all.findLastIndex(({ name }) => name === 'FROM'));
  return [
    ...froms.flatMap(({ words }) => baseFaults(words, bases)),
    ...userFaults(last),
    ...all.flatMap((one) => faultsIn(one, stages)),
  ];
}

function baseFaults(words: string, bases: ReadonlyMap<string, string | undefined>): readonly string[] {
  const name = /^\$\{(\w+)\}/.exec(words)?.[1];
  if (name === undefined || !bases.has(name)) return [`FROM ${words}: is no argument`];
  const image = bases.get(name) ?? '';
  // The first part is a host where it has a dot or a port, as every container tool reads it.
  const [first = '', ...rest] = image.split('/');
  const hasHost = rest.length > 0 && /[.:]/.test(first);
  const isPinned = /:\d+\.\d+\.\d+/.test(rest.at(-1) ?? first) || image.includes('@sha256:');
  return [...(hasHost ? [`${image}: names a place`] : []), ...(isPinned ? [] : [`${image}: has no exact version`])];
}

function userFaults(last: readonly Instruction[]): readonly string[] {
  const user = last.findLast(({ name }) => name === 'USER')?.words;
  return user !== undefined && /^[1-9]\d*(:[1-9]\d*)?$/.test(user) ? [] : [`the last user is ${user ?? 'nobody'}`];
}

function faultsIn({ name, words }: Instruction, stages: ReadonlySet<string | undefined>): readonly string[] {
  const from = /--from=(\S+)/.exec(words)?.[1];
  const rules: readonly (readonly [boolean, string])[] = [
    [name === 'ADD', `ADD ${words}: COPY says what comes from where`],
    [/^(ENTRYPOINT|CMD)$/.test(name) && !words.startsWith('['), `${name} in shell form: signals would not arrive`],
    [name === 'COPY' && from !== undefined && !stages.has(from), `COPY: there is no stage ${from ?? ''}`],
    [name === 'RUN' && /(curl|wget)[^|]*\|/.test(words), `RUN ${words}: pipes what it fetched`],
    [name === 'RUN' && /npm (install|i)\b/.test(words), `RUN ${words}: npm install goes beside the lock`],
    [name === 'RUN' && /npm ci\b(?!.*--ignore-scripts)/.test(words), `RUN ${words}: scripts of packages run`],
    [/^(ARG|ENV)$/.test(name) && /(TOKEN|SECRET|PASSWORD|PASSPHRASE)\w*=/i.test(words), `${name} ${words}: a secret`],
  ];
  return rules.flatMap(([isFault, text]) => (isFault ? [text] : []));
}
