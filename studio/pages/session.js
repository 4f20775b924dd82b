const KEY = 'garner.session';

/**
 * The name of this tab: the same after a reload, another one in a copy of the tab (browsers copy its storage).
 * @returns {Promise<string>}
 */
export async function openSession() {
  const old = sessionStorage.getItem(KEY);
  if (old !== null && (await hold(old))) return old;
  const session = crypto.randomUUID();
  sessionStorage.setItem(KEY, session);
  await hold(session);
  return session;
}

/**
 * Holds a name as long as the tab is open; false where another tab has it.
 * @param {string} session
 * @returns {Promise<boolean>}
 */
const hold = (session) =>
  new Promise((resolve) => {
    void navigator.locks.request(`${KEY}.${session}`, { ifAvailable: true }, (lock) => {
      resolve(lock !== null);
      return lock === null ? undefined : new Promise(() => {});
    });
  });
