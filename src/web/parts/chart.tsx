import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { painted } from '../theme.ts';
import { spell } from '../words.ts';

export interface Bars {
  readonly label: string;
  /** Of a custom property of the style sheet. */
  readonly colour: string;
  /** Milliseconds; null: nobody measured. */
  readonly values: readonly (number | null)[];
}

interface ChartProps {
  /** What it shows, in a sentence: for whoever does not see it. */
  readonly label: string;
  /** Under each bar. */
  readonly names: readonly string[];
  readonly series: readonly Bars[];
  readonly height?: number;
}

/** Small bars side by side, in the colours of the page. The figures stand in a table beside it, too. */
export function BarChart({ label, names, series, height = 150 }: ChartProps) {
  const ref = useRef<HTMLDivElement>(null);
  const round = painted.value;
  useEffect(() => {
    const place = ref.current;
    if (place === null || names.length === 0) return undefined;
    const plot = new uPlot(
      optionsOf(place, { names, series, height }),
      [names.map((_, i) => i), ...series.map(({ values }) => [...values])],
      place,
    );
    const watcher = new ResizeObserver(() => plot.setSize({ width: place.clientWidth, height }));
    watcher.observe(place);
    return () => {
      watcher.disconnect();
      plot.destroy();
    };
  }, [round, names.join('\n'), JSON.stringify(series), height]);
  return <div class="chart" ref={ref} role="img" aria-label={label} />;
}

function optionsOf(
  place: HTMLElement,
  { names, series, height }: Required<Pick<ChartProps, 'names' | 'series' | 'height'>>,
): uPlot.Options {
  const [soft, line] = ['--soft', '--line'].map((name) => colourOf(place, name));
  const font = `11px ${getComputedStyle(place).fontFamily}`;
  const bars = uPlot.paths.bars;
  const axis = { font, stroke: soft ?? '#888', ticks: { show: false }, border: { show: false } };
  return {
    width: Math.max(200, place.clientWidth),
    height,
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, points: { show: false }, y: false },
    scales: {
      x: { time: false, range: (_, min, max) => [min - 0.6, max + 0.6] },
      y: { range: (_, __, max) => [0, Math.max(1, max * 1.12)] },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        size: 22,
        splits: () => everyFew(names.length).filter((i) => i < names.length),
        values: (_, splits) => splits.map((i) => names[i] ?? ''),
      },
      {
        ...axis,
        grid: { stroke: line ?? '#ccc', width: 1 },
        size: 78,
        space: 34,
        values: (_, splits) => splits.map((ms) => (ms === 0 ? '0' : spell(ms))),
      },
    ],
    series: [
      {},
      ...series.map(({ label, colour }, i): uPlot.Series => {
        const paint = colourOf(place, colour);
        const share = 0.8 / series.length;
        return {
          label,
          stroke: paint,
          fill: paint,
          width: 0,
          points: { show: false },
          ...(bars === undefined
            ? {}
            : { paths: bars({ size: [share, 34], align: series.length === 1 ? 0 : i === 0 ? -1 : 1, radius: 0.15 }) }),
        };
      }),
    ],
  };
}

/** At most about eight names below: each needs its place. */
function everyFew(length: number): readonly number[] {
  const step = Math.max(1, Math.ceil(length / 8));
  return Array.from({ length: Math.ceil(length / step) }, (_, i) => i * step);
}

/** A canvas knows no custom properties: the browser is asked what one comes to here and now. */
function colourOf(place: HTMLElement, name: string): string {
  const probe = document.createElement('span');
  probe.style.color = `var(${name})`;
  place.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
