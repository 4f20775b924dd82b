import { ask, Refused } from './api.js';
import { el } from './dom.js';

/** @typedef {{ name: string, title: string }} Page */

/** The bar on top: the pages, and a place on the right that a page may fill. */
class StudioBar extends HTMLElement {
  connectedCallback() {
    this.setAttribute('role', 'banner');
    this.append(
      el('a', { class: 'brand', href: '/' }, 'garner', el('span', {}, ' studio')),
      el('nav', { 'aria-label': 'Pages' }),
      el('div', { class: 'aside' }),
    );
  }

  /**
   * @param {Page[]} pages
   * @param {string} current
   */
  show(pages, current) {
    this.querySelector('nav')?.replaceChildren(
      ...pages.map(({ name, title }) =>
        el('a', { href: `/${name}`, 'aria-current': name === current ? 'page' : null }, title),
      ),
    );
  }
}
customElements.define('studio-bar', StudioBar);

/** Each page is a module of its own with an element of its own: /rank is rank.js and <rank-page>. */
async function start() {
  const main = /** @type {HTMLElement} */ (document.querySelector('main'));
  const bar = /** @type {StudioBar} */ (document.querySelector('studio-bar'));
  const show = async () => {
    /** @type {Page[]} */
    const pages = await ask('pages');
    const name = location.pathname.slice(1);
    const page = pages.find((p) => p.name === name);
    if (!page) return;
    bar.show(pages, name);
    bar.querySelector('.aside')?.replaceChildren();
    document.title = `${page.title} · garner studio`;
    await import(`/static/${name}.js`);
    main.replaceChildren(document.createElement(`${name}-page`));
  };
  document.addEventListener('click', (event) => {
    const link = event.target instanceof Element ? event.target.closest('studio-bar nav a') : null;
    if (!(link instanceof HTMLAnchorElement) || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    if (link.pathname === location.pathname) return;
    history.pushState(null, '', link.href);
    void show();
  });
  addEventListener('popstate', () => void show());
  for (let delay = 500; ; delay = Math.min(8000, delay * 2)) {
    try {
      await show();
      return;
    } catch (error) {
      if (!(error instanceof Refused) || error.status !== 0) throw error;
      main.replaceChildren(el('p', { class: 'notice', role: 'status' }, 'The server does not answer; trying again.'));
      await new Promise((resolve) => setTimeout(resolve, delay));
    }
  }
}

void start();
