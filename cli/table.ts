import { plain } from '../core/progress.ts';
import type { Terminal } from './command.ts';

export type Cell = string | number | boolean | null | undefined;

/** Width of a text on a terminal: Han, Kana, Hangul and full-width forms take two columns. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const c of text) {
    const point = c.codePointAt(0)!;
    if (
      point < 32 ||
      (point >= 0x300 && point <= 0x36f) ||
      (point >= 0x200b && point <= 0x200f) ||
      (point >= 0xfe00 && point <= 0xfe0f)
    )
      continue;
    const wide =
      (point >= 0x1100 && point <= 0x115f) ||
      (point >= 0x2e80 && point <= 0xa4cf) ||
      (point >= 0xac00 && point <= 0xd7a3) ||
      (point >= 0xf900 && point <= 0xfaff) ||
      (point >= 0xfe30 && point <= 0xfe6f) ||
      (point >= 0xff00 && point <= 0xff60) ||
      (point >= 0xffe0 && point <= 0xffe6) ||
      (point >= 0x1f300 && point <= 0x1faff) ||
      (point >= 0x20000 && point <= 0x3fffd);
    width += wide ? 2 : 1;
  }
  return width;
}

/** Cut to `limit` columns with an ellipsis; line breaks and control characters become visible or go, so that no text can move the cursor. */
function fit(text: string, limit: number): string {
  const flat = plain(text.replace(/\r?\n/g, '⏎'));
  if (displayWidth(flat) <= limit) return flat;
  let out = '';
  let width = 0;
  for (const c of flat) {
    const w = displayWidth(c);
    if (width + w > limit - 1) break;
    out += c;
    width += w;
  }
  return `${out}…`;
}

const isNumber = (cell: Cell) => typeof cell === 'number';
const show = (cell: Cell): string =>
  cell === null || cell === undefined ? '' : isNumber(cell) ? formatNumber(cell as number) : String(cell);
const formatNumber = (n: number) => (Number.isInteger(n) ? String(n) : String(Number(n.toPrecision(6))));

/** A table for people: columns aligned, numbers to the right, no wider than the terminal (the widest columns give way). */
export function formatTable(head: readonly string[], rows: readonly (readonly Cell[])[], width = 100): string {
  const cells = rows.map((row) => head.map((_, i) => show(row[i])));
  const titles = head.map((h) => fit(h, 400));
  const widths = titles.map((h, i) =>
    cells.reduce((w, r) => Math.max(w, displayWidth(fit(r[i]!, 400))), displayWidth(h)),
  );
  const available = width - 2 * (head.length - 1);
  while (widths.reduce((a, b) => a + b, 0) > available) {
    const widest = widths.indexOf(Math.max(...widths));
    if (widths[widest]! <= 6) break;
    widths[widest]!--;
  }
  const right = head.map(
    (_, i) => rows.length > 0 && rows.every((r) => r[i] === null || r[i] === undefined || isNumber(r[i])),
  );
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) => {
        const text = fit(cell, widths[i]!);
        const space = ' '.repeat(Math.max(0, widths[i]! - displayWidth(text)));
        return right[i] ? space + text : text + space;
      })
      .join('  ')
      .trimEnd();
  return [line(titles), widths.map((w) => '─'.repeat(w)).join('  '), ...cells.map(line)].join('\n');
}

/** Columns of the terminal that is written to; 100 where there is none. */
export const terminalWidth = (terminal: Terminal): number => terminal.stdout.columns ?? 100;

/** 1,234,567 → `1.2 MB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(value < 10 ? 1 : 0)} ${units[unit]}`;
}
