/** A point of a curve; x rises. */
export type Point = readonly [x: number, y: number];

/** Dots of a braille cell, 2 wide and 4 high, as bits of U+2800 + …: column by column from the top. */
const DOTS = [
  [0x01, 0x02, 0x04, 0x40],
  [0x08, 0x10, 0x20, 0x80],
] as const;

/**
 * A line chart for a terminal, `width` × `height` characters, axes and labels included: braille dots, 2 × 4 a character.
 * Values are plotted against their place (from 1), or points against their x. Ends without a line feed; empty without values.
 */
export function drawCurve(values: readonly number[] | readonly Point[], width: number, height: number): string {
  const points = values
    .map((v, i): Point => (typeof v === 'number' ? [i + 1, v] : v))
    .filter(([x, y]) => Number.isFinite(x) && Number.isFinite(y));
  if (points.length === 0) return '';
  const [top, bottom] = bounds(points.map(([, y]) => y));
  const ticks = [top, (top + bottom) / 2, bottom].map((y) => label(y, top - bottom));
  const margin = Math.max(...ticks.map((t) => t.length));
  const columns = Math.max(4, width - margin - 2);
  const rows = Math.max(3, height - 2 - (height % 2 === 0 ? 1 : 0));
  const from = points[0]![0];
  const to = points.at(-1)![0];
  const cells = plot(points, columns, rows, [from, to], [bottom, top]);
  const middle = Math.floor((rows - 1) / 2);
  const lines = cells.map((row, i) => {
    const tick = i === 0 ? ticks[0]! : i === rows - 1 ? ticks[2]! : i === middle && rows % 2 === 1 ? ticks[1]! : '';
    return `${tick.padStart(margin)} ${tick ? '┤' : '│'}${String.fromCodePoint(...row).replaceAll('\u2800', ' ')}`.trimEnd();
  });
  const left = String(from);
  const right = String(to);
  const between = columns - left.length - right.length;
  return [
    ...lines,
    `${' '.repeat(margin)} └${'─'.repeat(columns)}`,
    `${' '.repeat(margin + 2)}${left}${between > 0 ? ' '.repeat(between) + right : ''}`,
  ].join('\n');
}

/** The least and greatest value; a flat curve gets some room, so that it lies in the middle. */
function bounds(values: readonly number[]): [top: number, bottom: number] {
  let [top, bottom] = [-Infinity, Infinity];
  for (const v of values) [top, bottom] = [Math.max(top, v), Math.min(bottom, v)];
  return top > bottom ? [top, bottom] : [top + (Math.abs(top) || 1) / 2, bottom - (Math.abs(bottom) || 1) / 2];
}

/** Three figures that tell the ticks apart. */
function label(value: number, span: number): string {
  if (value !== 0 && (Math.abs(value) >= 1e5 || Math.abs(value) < 1e-3)) return value.toExponential(1);
  const digits = Math.max(0, Math.min(4, 1 - Math.floor(Math.log10(span))));
  return value.toFixed(digits);
}

/** Code points of the cells, row by row from the top; neighbouring points are joined. */
function plot(
  points: readonly Point[],
  columns: number,
  rows: number,
  [from, to]: Point,
  [bottom, top]: Point,
): number[][] {
  const cells = Array.from({ length: rows }, () => Array.from({ length: columns }, () => 0x2800));
  const [wide, high] = [2 * columns - 1, 4 * rows - 1];
  const place = ([x, y]: Point): [number, number] => [
    to > from ? Math.round(((x - from) / (to - from)) * wide) : 0,
    Math.round(((top - y) / (top - bottom)) * high),
  ];
  let [px, py] = place(points[0]!);
  for (const point of points) {
    const [x, y] = place(point);
    const steps = Math.max(1, Math.abs(x - px), Math.abs(y - py));
    for (let i = 0; i <= steps; i++) {
      const [dx, dy] = [Math.round(px + ((x - px) * i) / steps), Math.round(py + ((y - py) * i) / steps)];
      cells[dy >> 2]![dx >> 1]! |= DOTS[dx & 1]![dy & 3]!;
    }
    [px, py] = [x, y];
  }
  return cells;
}
