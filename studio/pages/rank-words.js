/**
 * What was judged, for the line that is read aloud.
 * @param {string} verdict
 * @param {string[][]} order
 * @param {string[]} names
 */
export function judgedWords(verdict, order, names) {
  const number = (/** @type {string} */ name) => names.indexOf(name) + 1;
  const said =
    verdict === 'ranked'
      ? order.map((group) => group.map(number).join(' = ')).join(', then ')
      : { tie: 'a tie', all_bad: 'all bad', skip: 'skipped' }[verdict];
  return `Judged: ${said}. U takes it back.`;
}

/**
 * Why there is nothing to judge just now.
 * @param {{ trouble: boolean, ended: boolean, more: boolean, note: string | null, progress: any }} state
 */
export function waitingWords({ trouble, ended, more, note, progress: p }) {
  const why = () => {
    if (trouble) return 'Waiting for the server, to go on.';
    if (!ended || p === null) return 'Looking for the next comparison …';
    if (more) return 'The next answers are being written …';
    if (p.tasks === 0) return 'There is nothing to compare.';
    if (p.mine === p.tasks) return 'You have seen every comparison. Thank you.';
    return 'Nothing is left for you now: the rest is judged, or open in another tab. What a closed tab held is free again within three minutes.';
  };
  return note ? `${why()} (${note})` : why();
}
