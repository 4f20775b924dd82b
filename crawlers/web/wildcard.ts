/**
 * Whether `text` matches `pattern`, in which `*` stands for any run of characters. `open`: a prefix is enough.
 * Greedy with one step back per star: time O(text × pattern) at worst, no regular expression.
 */
export function matchesWildcard(pattern: string, text: string, open = false): boolean {
  let p = 0;
  let t = 0;
  let star = -1;
  let mark = 0;
  while (t < text.length) {
    if (open && p === pattern.length) return true;
    if (pattern[p] === '*') {
      star = p++;
      mark = t;
    } else if (pattern[p] === text[t]) {
      p++;
      t++;
    } else if (star !== -1) {
      p = star + 1;
      t = ++mark;
    } else return false;
  }
  while (pattern[p] === '*') p++;
  return p === pattern.length;
}
