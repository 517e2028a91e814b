/** Flags as `parse` reads them; whatever it does not know ends the process with 64 and a line that says how it is called. */
export function parsed<T>(usage: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\nusage: ${usage}`);
    return process.exit(64);
  }
}
