import { spawn } from 'node:child_process';

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the published CLI as a person would: as a process, with what it prints on the screen. */
export class Backstay {
  readonly #bin: string;
  readonly #env: NodeJS.ProcessEnv;
  readonly #cwd: string;

  constructor(bin: string, env: NodeJS.ProcessEnv, cwd: string) {
    this.#bin = bin;
    this.#env = env;
    this.#cwd = cwd;
  }

  /** Prints the command, then what it says. Throws when it fails. */
  async show(args: readonly string[]): Promise<void> {
    console.log(`\n\u001b[36m$ backstay ${args.map(quote).join(' ')}\u001b[0m`);
    const { code } = await this.#run(args, true);
    if (code !== 0) throw new TypeError(`backstay ${args.join(' ')} ended with ${code}`);
  }

  /** Prints only the command and how long it took, unless it fails. */
  async quiet(args: readonly string[]): Promise<void> {
    const begin = Date.now();
    const ended = await this.#run(args, false);
    console.log(
      `\u001b[36m$ backstay ${args.map(quote).join(' ')}\u001b[0m\u001b[2m  ${((Date.now() - begin) / 1000).toFixed(1)} s\u001b[0m`,
    );
    if (ended.code !== 0)
      throw new TypeError(`backstay ${args.join(' ')} ended with ${ended.code}\n${ended.stdout}\n${ended.stderr}`);
  }

  async exitCode(args: readonly string[]): Promise<number> {
    return (await this.#run(args, false)).code;
  }

  async json<T>(args: readonly string[]): Promise<T> {
    const ended = await this.#run([...args, '--output', 'json'], false);
    if (ended.code !== 0) throw new TypeError(`backstay ${args.join(' ')} ended with ${ended.code}\n${ended.stderr}`);
    return JSON.parse(ended.stdout) as T;
  }

  #run(args: readonly string[], shown: boolean): Promise<Ended> {
    return new Promise((resolve, reject) => {
      const child = spawn(this.#bin, [...args], {
        cwd: this.#cwd,
        env: this.#env,
        stdio: ['ignore', shown ? 'inherit' : 'pipe', shown ? 'inherit' : 'pipe'],
      });
      let stdout = '';
      let stderr = '';
      child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
      child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
      child.once('error', reject);
      child.once('close', (code) => resolve({ code: code ?? 1, stdout, stderr }));
    });
  }
}

function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `"${word}"`;
}
