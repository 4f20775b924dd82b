import { ask, Refused } from './api.js';

const PREFIX = 'garner.rank.out.';
const SLOWEST = 4000; // ms

/**
 * Judgements on their way to the journal. They lie in the browser's storage until the server says that they are stored:
 * a killed server, a closed tab and a lost network lose none, and their ids let the server count each once.
 * @param {{ stored: (answer: any) => void, refused: (message: string) => void, state: (state: { waiting: number, trouble: string | null, parked: number }) => void }} hear
 */
export function openOutbox(hear) {
  let running = false;
  let delay = 500;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  /** @type {string | null} */
  let trouble = null;

  /** Lines about comparisons that this server does not have: they wait until one has them. @type {Set<string>} */
  const parked = new Set();

  const keys = () =>
    Object.keys(localStorage)
      .filter((key) => key.startsWith(PREFIX) && !parked.has(key))
      .sort();
  const say = () => hear.state({ waiting: keys().length, trouble, parked: parked.size });

  /** Sends what there is, in the order in which it was judged; of all tabs one at a time. */
  async function send() {
    if (running) return;
    running = true;
    clearTimeout(timer);
    try {
      await navigator.locks.request('garner.rank.outbox', async () => {
        for (let key = keys()[0]; key !== undefined; key = keys()[0]) {
          const line = localStorage.getItem(key);
          if (line === null || (await sendOne(JSON.parse(line)))) localStorage.removeItem(key);
          else parked.add(key);
          say();
        }
      });
      trouble = null;
      delay = 500;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      trouble = error.status === 401 ? 'open the link that the terminal shows once more' : error.message;
      timer = setTimeout(() => void send(), delay);
      delay = Math.min(SLOWEST, delay * 2);
    } finally {
      running = false;
      say();
    }
    if (trouble === null && keys().length > 0) await send();
  }

  /**
   * Whether the server knows what to do with it.
   * @param {object} line
   */
  async function sendOne(line) {
    try {
      hear.stored(await ask('rank/judgements', line));
    } catch (error) {
      if (error instanceof Refused && error.status === 404) return false;
      // What the server understood and refused would be refused again.
      if (error instanceof Refused && [400, 409, 413, 422].includes(error.status)) hear.refused(error.message);
      else throw error;
    }
    return true;
  }

  // Other tabs put and take here too.
  addEventListener('storage', say);
  addEventListener('online', () => void send());
  let count = 0;
  return {
    /** @param {Record<string, unknown>} line with an id */
    put(line) {
      const time = String(Date.now()).padStart(15, '0');
      localStorage.setItem(
        `${PREFIX}${time}.${String(count++).padStart(6, '0')}.${String(line['id'])}`,
        JSON.stringify(line),
      );
      say();
      return send();
    },
    send,
    /** How many judgements are not stored yet. */
    waiting: () => keys().length,
  };
}
