/** What there is to do: jobs that become ready in their own time. */
export interface Work<J> {
  /** Names a job uniquely, attempts included. */
  name(job: J): string;
  /** A URL that stands for the job in Crawlee's eyes. */
  url(job: J): string;
  ready(): boolean;
  take(): J | null;
  run(job: J): Promise<void>;
  /** True once nothing will be ready any more. */
  finished(): boolean;
  counts(): { done: number; open: number };
}

/**
 * Lets Crawlee run the work: it schedules, bounds what runs side by side and ends when all is done. Its request manager and
 * its HTTP client are stood in for by ours (the frontier, the wire), so that robots, order, resume and the bytes of the
 * WARC are decided here; its storage, retries, sessions and header disguise are off. A job that throws ends the crawl.
 */
export async function pumpWithCrawlee<J>(work: Work<J>, width: number): Promise<void> {
  const [{ HttpCrawler, Configuration, Request, log, LogLevel }, { Readable }] = await Promise.all([
    import('@crawlee/http'),
    import('node:stream'),
  ]);
  log.setLevel(LogLevel.OFF);
  const running = new Map<string, J>();
  let failure: { error: unknown } | null = null;
  const over = () => failure !== null || work.finished();
  const nothing = () => Promise.resolve(null);
  // Crawlee would pause on Ctrl-C and go on later; here whoever started the crawl decides.
  const before = process.listeners('SIGINT');
  const takeBackInterrupt = () => {
    for (const listener of process.listeners('SIGINT'))
      if (!before.includes(listener) && listener.name === 'sigintHandler') process.off('SIGINT', listener);
  };
  const manager = {
    isFinished: () => Promise.resolve(over() && running.size === 0),
    isEmpty() {
      takeBackInterrupt();
      return Promise.resolve(failure !== null || !work.ready());
    },
    handledCount: () => Promise.resolve(work.counts().done),
    getTotalCount: () => work.counts().done + work.counts().open,
    getPendingCount: () => work.counts().open,
    fetchNextRequest() {
      const job = failure ? null : work.take();
      if (job === null) return Promise.resolve(null);
      const uniqueKey = work.name(job);
      running.set(uniqueKey, job);
      return Promise.resolve(new Request({ url: work.url(job), uniqueKey }));
    },
    markRequestHandled(request: { uniqueKey: string }) {
      running.delete(request.uniqueKey);
      return nothing();
    },
    reclaimRequest: nothing,
    addRequest: nothing,
    addRequestsBatched: nothing,
    async *[Symbol.asyncIterator]() {},
  };
  const client = {
    sendRequest: () => Promise.reject(new Error('the crawl asks through stream() only')),
    async stream(request: { url: string | URL; headers?: Record<string, string> }) {
      const job = running.get(request.headers?.['x-job'] ?? '');
      try {
        if (job !== undefined) await work.run(job);
      } catch (error) {
        failure ??= { error };
      }
      return {
        stream: Readable.from([]),
        request,
        url: String(request.url),
        redirectUrls: [],
        statusCode: 200,
        headers: { 'content-type': 'application/octet-stream' },
        trailers: {},
        complete: true,
        downloadProgress: { percent: 1, transferred: 0, total: 0 },
        uploadProgress: { percent: 1, transferred: 0, total: 0 },
      };
    },
  };
  const config = new Configuration({
    persistStorage: false,
    purgeOnStart: false,
    // It would start a process every second to measure memory, which decides nothing here.
    systemInfoIntervalMillis: 86_400_000,
  });
  // Nothing is stored, so nothing has to be waited for: the timer that it starts for that would hold the process for a second.
  Object.assign(config.getStorageClient(), { teardown: undefined });
  const crawler = new HttpCrawler(
    {
      // Its options refuse their own `requestManager`; a queue that is handed in becomes the manager.
      requestQueue: manager as never,
      httpClient: client as never,
      preNavigationHooks: [({ request }, options) => void (options.headers = { 'x-job': request.uniqueKey })],
      requestHandler: () => {},
      additionalMimeTypes: ['*/*'],
      maxRequestRetries: 0,
      useSessionPool: false,
      navigationTimeoutSecs: 86_400,
      requestHandlerTimeoutSecs: 60,
      minConcurrency: width,
      maxConcurrency: width,
      autoscaledPoolOptions: { maybeRunIntervalSecs: 0.01, loggingIntervalSecs: null },
      statisticsOptions: { logIntervalSecs: 86_400, saveErrorSnapshots: false },
    },
    config,
  );
  await crawler.run();
  if (failure) throw (failure as { error: unknown }).error;
}
