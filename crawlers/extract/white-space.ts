// Patterns that end in `+$` are tried anew at each character of a run that does not end a line: quadratic. These are not.

const ends = (c: string | undefined): boolean => c === undefined || c === '\n' || c === '\u2028' || c === '\u2029';

/** Takes spaces and tabs at the ends of lines away. */
export const trimLineEnds = (text: string): string =>
  text.replace(/[ \t]+/g, (run, at: number) => (ends(text[at + run.length]) ? '' : run));

/** Takes empty lines at the beginning and all white space at the end away. */
export const trimEnds = (text: string): string => text.replace(/^\n+/, '').trimEnd();

/** Collapses white space as a browser does; U+2028 stands for `<br>`. */
export function tidy(text: string): string {
  const flat = text
    .replace(/[\u200B\uFEFF\u00AD]/g, '')
    .replace(/[ \t\n\f\r\u00A0\u2000-\u200A\u202F\u3000\u0000-\u0008\u000B\u000E-\u001F\u007F-\u009F]+/g, ' ')
    .replace(/ ?\u2028 ?/g, '\u2028');
  let [start, end] = [0, flat.length];
  while (start < end && isGap(flat[start]!)) start++;
  while (end > start && isGap(flat[end - 1]!)) end--;
  return flat.slice(start, end);
}

const isGap = (c: string): boolean => c === ' ' || c === '\u2028';

/** Text of a `pre`: line breaks and indents stay. */
export const tidyPre = (text: string): string =>
  trimEnds(
    trimLineEnds(
      text
        .replace(/[\u200B\uFEFF\u00AD\u0000-\u0008\u000B\u000E-\u001F\u007F-\u009F]/g, '')
        .replace(/\r\n?|\u2028/g, '\n'),
    ),
  );
