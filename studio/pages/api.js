/** The server could not be asked, or said no. `status` 0: nobody answered. */
export class Refused extends Error {
  /**
   * @param {number} status
   * @param {string} message
   */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/**
 * Asks the server of this page.
 * @param {string} path
 * @param {object} [body] what to send; without it nothing is changed
 * @returns {Promise<any>}
 */
export async function ask(path, body) {
  /** @type {Response} */
  let response;
  try {
    response = await fetch(`/api/${path}`, {
      method: body ? 'POST' : 'GET',
      headers: body ? { 'Content-Type': 'application/json' } : {},
      ...(body ? { body: JSON.stringify(body) } : {}),
      signal: AbortSignal.timeout(20_000),
    });
  } catch {
    throw new Refused(0, 'the server does not answer');
  }
  const text = await response.text();
  if (response.ok) return JSON.parse(text);
  let message = text;
  try {
    message = JSON.parse(text).error ?? text;
  } catch {
    // Not every refusal is JSON.
  }
  throw new Refused(response.status, message);
}

/**
 * The last word of a tab that closes.
 * @param {string} path
 * @param {object} body
 */
export const tell = (path, body) =>
  void navigator.sendBeacon(`/api/${path}`, new Blob([JSON.stringify(body)], { type: 'application/json' }));
