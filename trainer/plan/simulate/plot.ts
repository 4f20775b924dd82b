import type { ScalingPoint } from './scaling.ts';
import type { Breakdown } from './step.ts';

/** Bands from the bottom up: what they are called, and their colours on light and on dark ground. */
const BANDS: readonly (readonly [keyof Breakdown, string, string, string])[] = [
  ['model', 'model FLOPs at the peak', '#2f6fb0', '#5b9bd8'],
  ['kernels', 'kernels below the peak', '#8fb8de', '#2d5378'],
  ['tensor', 'tensor collectives', '#3f8f6b', '#58b98d'],
  ['context', 'context collectives', '#a5d2b9', '#2d5f49'],
  ['pipeline', 'pipeline idle', '#d98a29', '#e5a550'],
  ['data', 'gradients and weights', '#a9568f', '#c67fb2'],
  ['optimizer', 'optimizer', '#8a8a8a', '#a5a5a5'],
  ['stragglers', 'stragglers', '#c34a42', '#e0766f'],
];

const WIDTH = 960;
const HEIGHT = 700;
const FONT = 'ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';

/** A plot's place, and its scales from values to pixels. */
interface Frame {
  left: number;
  top: number;
  width: number;
  height: number;
  x: (gpus: number) => number;
  y: (value: number) => number;
}

/**
 * Draws a scaling curve as SVG: MFU, tokens a second beside the ideal line, and where the time goes as stacked bands, over the
 * number of GPUs (logarithmic). It brings its own ground, light or dark as the reader's page prefers.
 */
export function drawScaling(
  points: readonly ScalingPoint[],
  { title, note = '' }: { title: string; note?: string },
): string {
  const parts = [
    text(32, 38, title, 'title'),
    text(32, 60, note, 'note'),
    ...drawMfu(points, frameOf(points, [72, 104, 368, 196], [0, mfuTop(points)])),
    ...drawRate(points, frameOf(points, [560, 104, 368, 196], rateSpan(points), true)),
    ...drawBands(points, frameOf(points, [72, 384, 600, 246], [0, 1])),
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" aria-label="${escape(title)}">
<style>${STYLE}</style>
<rect class="ground" width="${WIDTH}" height="${HEIGHT}" rx="8"/>
${parts.join('\n')}
</svg>
`;
}

const colours = (which: 2 | 3) => BANDS.map((band) => `.${band[0]}{fill:${band[which]}}`).join('');
const STYLE = `text{font:13px ${FONT};fill:#24292f}.title{font-size:19px;font-weight:600}.head{font-weight:600}
.note,.tick,.unit{fill:#57606a}.end{text-anchor:end}.middle{text-anchor:middle}
.ground{fill:#fff}.grid{stroke:#d8dee4;stroke-width:1}.axis{stroke:#8c959f;stroke-width:1}
.line{fill:none;stroke:#2f6fb0;stroke-width:2.5;stroke-linejoin:round}.dot{fill:#2f6fb0;stroke:#2f6fb0;stroke-width:2}.hollow{fill:#fff}
.ideal,.effective{fill:none;stroke:#8c959f;stroke-width:1.5;stroke-dasharray:6 4}.effective{stroke:#c34a42}.red{fill:#b03a33}
.seam{fill:none;stroke:#fff;stroke-width:1}${colours(2)}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.note,.tick,.unit{fill:#9da7b1}.ground{fill:#0d1117}.grid{stroke:#2a313a}.axis{stroke:#6e7681}
.line{stroke:#5b9bd8}.dot{fill:#5b9bd8;stroke:#5b9bd8}.hollow{fill:#0d1117}.ideal{stroke:#6e7681}.effective{stroke:#e0766f}.red{fill:#e0766f}.seam{stroke:#0d1117}${colours(3)}}`;

/** Escapes what a person may have named. */
const escape = (words: string): string =>
  words.replaceAll(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]!);

const round = (n: number): number => Math.round(n * 10) / 10;

const text = (x: number, y: number, words: string, style = ''): string =>
  words === '' ? '' : `<text x="${round(x)}" y="${round(y)}" class="${style}">${escape(words)}</text>`;

const line = (x1: number, y1: number, x2: number, y2: number, style: string): string =>
  `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" class="${style}"/>`;

const path = (points: readonly (readonly [number, number])[], style: string, close = ''): string =>
  `<path d="M${points.map(([x, y]) => `${round(x)} ${round(y)}`).join('L')}${close}" class="${style}"/>`;

function frameOf(
  points: readonly ScalingPoint[],
  [left, top, width, height]: readonly [number, number, number, number],
  [low, high]: readonly [number, number],
  logarithmic = false,
): Frame {
  const [first, last] = [points[0]!.gpus, points.at(-1)!.gpus];
  const scale = logarithmic ? Math.log : (n: number) => n;
  const along = (gpus: number) => (first === last ? 0.5 : Math.log(gpus / first) / Math.log(last / first));
  return {
    left,
    top,
    width,
    height,
    x: (gpus) => left + along(gpus) * width,
    y: (value) => top + height * (1 - (scale(value) - scale(low)) / (scale(high) - scale(low))),
  };
}

/** The next ten percent above all of them. */
const mfuTop = (points: readonly ScalingPoint[]): number =>
  Math.ceil(Math.max(...points.map((p) => p.mfu)) * 10 + 0.3) / 10;

/** From the slowest to what the ideal line reaches. */
function rateSpan(points: readonly ScalingPoint[]): [number, number] {
  const [first, last] = [points[0]!, points.at(-1)!];
  const ideal = (first.tokensPerSecond / first.gpus) * last.gpus;
  return [first.tokensPerSecond * 0.8, Math.max(ideal, last.tokensPerSecond) * 1.25];
}

/** 1,200 as 1.2k and so on. */
function short(n: number): string {
  for (const [size, unit] of [
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'k'],
  ] as const)
    if (n >= size) return `${Number((n / size).toPrecision(3))}${unit}`;
  return String(Number(n.toPrecision(3)));
}

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;

const gpusOf = ({ gpus }: ScalingPoint): string => `${gpus.toLocaleString('en-GB')} ${gpus === 1 ? 'GPU' : 'GPUs'}`;

/** Axes, the head above and the numbers of GPUs below, as many as have room. */
function axes(
  points: readonly ScalingPoint[],
  frame: Frame,
  head: string,
  ticks: readonly (readonly [number, string])[],
) {
  const { left, top, width, height, x, y } = frame;
  const out = [text(left - 40, top - 16, head, 'head')];
  for (const [value, label] of ticks) {
    out.push(line(left, y(value), left + width, y(value), 'grid'), text(left - 8, y(value) + 4, label, 'tick end'));
  }
  out.push(line(left, top + height, left + width, top + height, 'axis'));
  // From the right, so that the last has its label; one that would touch the next has none.
  let free = Infinity;
  for (const { gpus } of points.toReversed()) {
    out.push(line(x(gpus), top + height, x(gpus), top + height + 4, 'axis'));
    if (x(gpus) > free) continue;
    out.push(text(x(gpus), top + height + 19, gpus.toLocaleString('en-GB'), 'tick middle'));
    free = x(gpus) - 46;
  }
  out.push(text(left + width, top + height + 37, 'GPUs', 'unit end'));
  return out;
}

const dot = (x: number, y: number, fits: boolean): string =>
  `<circle cx="${round(x)}" cy="${round(y)}" r="4" class="dot${fits ? '' : ' hollow'}"/>`;

function drawMfu(points: readonly ScalingPoint[], frame: Frame): string[] {
  const { left, top, height, x, y } = frame;
  const ticks = Array.from({ length: Math.round(mfuTop(points) * 10) + 1 }, (_, i) => [i / 10, `${i * 10} %`] as const);
  const [first, last] = [points[0]!, points.at(-1)!];
  const effective = points.map((p) => [x(p.gpus), y(p.mfu * p.effective)] as const);
  const beside = x(last.gpus) + 9;
  // The two labels at the end stand at least a line apart.
  const lower = Math.max(y(last.mfu * last.effective) + 10, y(last.mfu) + 17);
  return [
    ...axes(points, frame, 'MFU', ticks),
    path(effective, 'effective'),
    path(
      points.map((p) => [x(p.gpus), y(p.mfu)] as const),
      'line',
    ),
    ...points.map((p) => dot(x(p.gpus), y(p.mfu), p.fits)),
    points.length > 1 ? text(x(first.gpus) + 2, y(first.mfu) - 12, percent(first.mfu)) : '',
    text(beside, y(last.mfu) + 1, percent(last.mfu)),
    text(beside, lower, percent(last.mfu * last.effective), 'red'),
    text(left + 8, top + height - 30, 'dashed: failures, restarts and checkpoints counted', 'red'),
    points.every((p) => p.fits) ? '' : text(left + 8, top + height - 12, '○ does not fit in memory', 'note'),
  ];
}

function drawRate(points: readonly ScalingPoint[], frame: Frame): string[] {
  const { left, top, width, height, x, y } = frame;
  const [first, last] = [points[0]!, points.at(-1)!];
  const [low, high] = rateSpan(points);
  const ticks: [number, string][] = [];
  for (let power = Math.floor(Math.log10(low)); 10 ** power <= high; power++)
    for (const step of high / low > 300 ? [1] : high / low > 30 ? [1, 3] : [1, 2, 5]) {
      const value = step * 10 ** power;
      if (value >= low && value <= high) ticks.push([value, short(value)]);
    }
  const ideal = (gpus: number) => (first.tokensPerSecond / first.gpus) * gpus;
  const share = last.tokensPerSecond / ideal(last.gpus);
  return [
    ...axes(points, frame, 'tokens a second', ticks),
    path(
      [
        [x(first.gpus), y(ideal(first.gpus))],
        [x(last.gpus), y(ideal(last.gpus))],
      ],
      'ideal',
    ),
    path(
      points.map((p) => [x(p.gpus), y(p.tokensPerSecond)] as const),
      'line',
    ),
    ...points.map((p) => dot(x(p.gpus), y(p.tokensPerSecond), p.fits)),
    points.length > 1 ? text(x(last.gpus) - 14, y(ideal(last.gpus)) + 2, 'ideal', 'note end') : '',
    text(left + width, top + height - 30, `${short(last.tokensPerSecond)} on ${gpusOf(last)}`, 'end'),
    points.length > 1
      ? text(left + width, top + height - 12, `${percent(share)} of ideal from ${gpusOf(first)}`, 'note end')
      : '',
  ];
}

function drawBands(points: readonly ScalingPoint[], frame: Frame): string[] {
  const { left, top, width, height, x, y } = frame;
  const shown = BANDS.filter(([key]) => points.some((p) => p.breakdown[key] / p.seconds >= 0.0005));
  // One point alone becomes a column.
  const at = (p: ScalingPoint) => (points.length > 1 ? [x(p.gpus)] : [left + width * 0.3, left + width * 0.7]);
  const heights = points.map(() => 0);
  const areas = shown.map(([key]) => {
    const below = points.flatMap((p, i) => at(p).map((px) => [px, y(heights[i]!)] as const));
    for (const [i, p] of points.entries()) heights[i]! += Math.max(0, p.breakdown[key]) / p.seconds;
    const above = points.flatMap((p, i) => at(p).map((px) => [px, y(heights[i]!)] as const));
    return path([...above, ...below.toReversed()], key, 'Z') + path(above, 'seam');
  });
  const last = points.at(-1)!;
  const legend = shown.toReversed().flatMap(([key, name], i) => {
    const row = top + 14 + i * 27;
    const share = last.breakdown[key] / last.seconds;
    return [
      `<rect x="${left + width + 24}" y="${row - 11}" width="14" height="14" rx="2" class="${key}"/>`,
      text(left + width + 46, row + 1, name),
      text(WIDTH - 20, row + 1, percent(share), 'tick end'),
    ];
  });
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((share) => [share, `${share * 100} %`] as const);
  return [
    ...axes(points, frame, 'where the time of a step goes', ticks),
    ...areas,
    text(WIDTH - 20, top - 16, `shares on ${gpusOf(last)}`, 'note end'),
    ...legend,
    line(left, top + height, left + width, top + height, 'axis'),
  ];
}
