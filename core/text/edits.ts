/** A replacement over a text; offsets are UTF-16 code units. */
export interface TextEdit {
  start: number;
  end: number;
  replacement: string;
}

/**
 * The text after its edits, which may come in any order. Throws where two edits overlap or one leaves the text: whoever
 * makes edits has to settle that before.
 */
export function applyEdits(text: string, edits: readonly TextEdit[]): string {
  let out = '';
  let at = 0;
  for (const edit of edits.toSorted((a, b) => a.start - b.start)) {
    if (edit.start < at || edit.end < edit.start || edit.end > text.length) {
      throw new Error(`applyEdits: [${edit.start}, ${edit.end}) overlaps another edit or leaves the text`);
    }
    out += text.slice(at, edit.start) + edit.replacement;
    at = edit.end;
  }
  return out + text.slice(at);
}
