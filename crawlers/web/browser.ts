/** A page as a browser left it. */
export type Rendered = { html: string; at: number } | { failed: string };

export interface Browser {
  /** Opens a page and gives its HTML once it is quiet; null where this machine has no browser. */
  render(url: string): Promise<Rendered | null>;
  close(): Promise<void>;
}

/** No browser: pages that need one are left as they are. */
export const noBrowser: Browser = { render: () => Promise.resolve(null), close: () => Promise.resolve() };
