// The door of the datasets: duplicates, and questions to a lake.
export { createDeduplicator } from './dedup/stream.ts';
export type { Answer, Deduplicator, StreamOptions } from './dedup/stream.ts';
export { openCatalog, query } from './lake/catalog.ts';
export type { Catalog, CatalogOptions } from './lake/catalog.ts';
export { stats } from './lake/stats.ts';
export { why } from './lake/why.ts';
