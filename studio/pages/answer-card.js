import { el, kbd } from './dom.js';
import { safeText } from './safe-text.js';

const PLACES = ['1st', '2nd', '3rd', '4th'];

/** One answer: its number on the page, its text in a box that scrolls, and the two things a judge can say of it. */
export class AnswerCard extends HTMLElement {
  /**
   * @param {{ number: number, of: number, text: string, onplace: () => void, onbest: () => void }} answer
   */
  fill({ number, of, text, onplace, onbest }) {
    const title = `answer-${number}`;
    this.setAttribute('role', 'group');
    this.setAttribute('aria-labelledby', title);
    this.place = el('span', { class: 'place' });
    this.words = el('span', {}, of === 2 ? `Answer ${number} is better` : 'Next in rank');
    this.of = of;
    this.placeButton = el(
      'button',
      { type: 'button', class: 'choose', onclick: onplace },
      kbd(String(number)),
      this.words,
    );
    this.replaceChildren(
      el('header', {}, el('h2', { id: title }, `Answer ${number}`), this.place),
      el(
        'div',
        { class: 'text', tabindex: 0, role: 'region', 'aria-labelledby': title },
        text.trim() === '' ? el('em', { class: 'empty' }, 'an empty answer') : safeText(text),
      ),
      el(
        'footer',
        {},
        this.placeButton,
        of > 2 &&
          el('button', { type: 'button', class: 'quiet', onclick: onbest }, kbd(`⇧${number}`), el('span', {}, 'Best')),
      ),
    );
  }

  /** @param {number} place counted from 0; −1 for none */
  rank(place) {
    if (!this.place || !this.words) return;
    this.place.textContent = place === -1 ? '' : PLACES[place];
    this.classList.toggle('placed', place !== -1);
    this.classList.toggle('first', place === 0);
    if (this.of !== 2) this.words.textContent = place === -1 ? 'Next in rank' : 'Take the rank back';
  }
}
customElements.define('answer-card', AnswerCard);
