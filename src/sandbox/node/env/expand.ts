/**
 * `$(NAME)` as Kubernetes expands it in command, args and env values: a known name gives its value, an unknown one stays
 * as written, `$$` gives one dollar sign and so escapes a reference. Not recursive.
 */
export function expand(text: string, value: (name: string) => string | undefined): string {
  return text.replace(/\$\$|\$\(([^)]*)\)/g, (whole: string, name: string | undefined) => {
    if (name === undefined) return '$';
    return value(name) ?? whole;
  });
}
