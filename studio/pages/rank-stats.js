import { el } from './dom.js';

/** @param {number} share */
const percent = (share) => `${Math.round(share * 100)} %`;

/**
 * @param {{ alpha: number | null, units: number }} agreement
 */
const alpha = ({ alpha: value, units }) => (units === 0 || value === null ? '–' : value.toFixed(2).replace('-', '−'));

/** The foot of the page: how far, how much the judges agree, whether the place on the page decides. */
export class RankStats extends HTMLElement {
  connectedCallback() {
    this.bar = el('progress', { 'aria-label': 'Judged by you', max: 1, value: 0 });
    this.words = el('span', { class: 'words' });
    this.list = el('dl');
    this.replaceChildren(el('div', { class: 'progress' }, this.words, this.bar), this.list);
  }

  /**
   * @param {any} p Progress of the server
   * @param {boolean} more answers are still being sampled
   */
  show(p, more) {
    if (!this.bar || !this.words || !this.list) return;
    this.bar.max = Math.max(1, p.tasks);
    this.bar.value = p.mine;
    this.words.textContent = `${p.mine} of ${p.tasks}${more ? '+' : ''} seen by you${p.skipped > 0 ? `, ${p.skipped} skipped` : ''}`;
    const { first } = p;
    const entries = [
      p.overlap > 1 || p.judges > 1
        ? [
            'Prompts done',
            `${p.done} of ${p.tasks}`,
            `by ${p.overlap} judge${p.overlap === 1 ? '' : 's'} each; ${p.judges} so far`,
          ]
        : null,
      [
        'Agreement α',
        alpha(p.best),
        p.best.units === 0
          ? 'needs prompts that two judges saw'
          : `best answer, n = ${p.best.units}${p.best.alpha === null ? ', all judged alike' : ''}; ranks ${alpha(p.ranks)}`,
      ],
      [
        'First shown wins',
        first.share === null ? '–' : percent(first.share),
        first.share === null
          ? 'nothing decided yet'
          : `${percent(first.low)} to ${percent(first.high)}, n = ${first.n}; ${percent(first.expected)} by chance`,
      ],
    ];
    this.list.replaceChildren(
      ...entries.flatMap((e) =>
        e ? [el('div', {}, el('dt', {}, e[0]), el('dd', {}, el('strong', {}, e[1]), el('span', {}, e[2])))] : [],
      ),
    );
  }
}
customElements.define('rank-stats', RankStats);
