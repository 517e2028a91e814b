/** Passwords that the program owns: made once, then always the same. */
export interface Credentials {
  /**
   * The value of each name (`[a-z0-9-]+`), made where there is none yet. Letters and digits only, so that it needs no quoting
   * in a URL. A name that is not asked for keeps its value. Errors: ENGINE_FAILED, KEY_MISSING, TOOL_MISSING.
   */
  of(names: readonly string[]): Promise<Readonly<Record<string, string>>>;
}
