export type Labels = Readonly<Record<string, string>>;

interface Family {
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** Complete sample lines without their value, such as `http_requests_total{code="200"}`. */
  readonly samples: Map<string, number>;
}

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** The few metric types that the sandbox's programs need, in Prometheus' text format. */
export class Metrics {
  readonly #families = new Map<string, Family>();
  #collect: () => void = () => undefined;

  /** Sets gauges that are known only at the moment of the scrape. */
  atScrape(collect: () => void): void {
    this.#collect = collect;
  }

  count(name: string, help: string, labels: Labels = {}, by = 1): void {
    add(this.#family(name, help, 'counter').samples, name + labelText(labels), by);
  }

  gauge(name: string, help: string, value: number, labels: Labels = {}): void {
    this.#family(name, help, 'gauge').samples.set(name + labelText(labels), value);
  }

  /** A duration in seconds, into cumulative buckets. */
  observe(name: string, help: string, seconds: number, labels: Labels = {}): void {
    const { samples } = this.#family(name, help, 'histogram');
    for (const bound of SECONDS)
      add(samples, `${name}_bucket${labelText({ ...labels, le: String(bound) })}`, seconds <= bound ? 1 : 0);
    add(samples, `${name}_bucket${labelText({ ...labels, le: '+Inf' })}`, 1);
    add(samples, `${name}_sum${labelText(labels)}`, seconds);
    add(samples, `${name}_count${labelText(labels)}`, 1);
  }

  render(): string {
    this.#collect();
    const lines: string[] = [];
    for (const [name, { help, type, samples }] of this.#families) {
      lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
      for (const [sample, value] of samples) lines.push(`${sample} ${value}`);
    }
    return `${lines.join('\n')}\n`;
  }

  #family(name: string, help: string, type: Family['type']): Family {
    let family = this.#families.get(name);
    if (family === undefined) this.#families.set(name, (family = { help, type, samples: new Map() }));
    return family;
  }
}

function add(samples: Map<string, number>, sample: string, by: number): void {
  samples.set(sample, (samples.get(sample) ?? 0) + by);
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(
    ([name, value]) => `${name}="${value.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n')}"`,
  );
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

export interface Sample {
  readonly name: string;
  readonly labels: Labels;
  readonly value: number;
}

/** Reads the text format back; lines that are no samples are left out. */
export function parseMetrics(text: string): Sample[] {
  return text.split('\n').flatMap((line) => {
    const [, name, inner, value] = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)/.exec(line) ?? [];
    if (name === undefined || value === undefined || Number.isNaN(Number(value))) return [];
    const labels: Record<string, string> = {};
    for (const [, key = '', raw = ''] of (inner ?? '').matchAll(/(\w+)="((?:\\.|[^"\\])*)"/g)) {
      labels[key] = raw.replace(/\\(.)/g, (_whole, char: string) => (char === 'n' ? '\n' : char));
    }
    return [{ name, labels, value: Number(value) }];
  });
}

/** Sum of the samples of a name whose labels include these; undefined when there is none. */
export function sumOf(samples: readonly Sample[], name: string, labels: Labels = {}): number | undefined {
  const found = samples.filter(
    (s) => s.name === name && Object.entries(labels).every(([key, value]) => s.labels[key] === value),
  );
  return found.length === 0 ? undefined : found.reduce((sum, s) => sum + s.value, 0);
}
