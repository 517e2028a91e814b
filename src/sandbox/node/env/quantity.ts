const SUFFIXES: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** A Kubernetes quantity (`500m`, `1Gi`, `2e3`, 3) as a number of base units; undefined when it is none. */
export function parseQuantity(text: string | number): number | undefined {
  const match = /^([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)([A-Za-z]{0,2})$/.exec(String(text).trim());
  const factor = match === null ? undefined : SUFFIXES[match[2] ?? ''];
  return match === null || factor === undefined ? undefined : Number(match[1]) * factor;
}

/** Value of a resourceFieldRef: rounded up to whole divisors, which are 1 (one core, one byte) unless said. */
export function quantityIn(text: string | number, divisor: string | number | undefined): string | undefined {
  const value = parseQuantity(text);
  const unit = divisor === undefined || String(divisor) === '0' ? 1 : parseQuantity(divisor);
  // The subtraction keeps binary noise (0.3 / 0.1) from rounding up to the next unit.
  return value === undefined || !unit ? undefined : String(Math.ceil(value / unit - 1e-9));
}
