import { z } from 'zod';

/** Opt-outs that a page or its server may state and that garner can obey. */
export const OPT_OUTS = [
  'noindex',
  'noarchive',
  'nosnippet',
  'noai',
  'noml',
  'notrain',
  'tdm-reservation',
  'ai-train=no',
] as const;

const positive = (about: string) => z.int().min(1).describe(about);

/** The `crawl` section of a recipe. */
export const crawlSection = z
  .strictObject({
    name: z.string().min(1).default('web').describe('name of this source in the lake'),
    seeds: z
      .array(z.url({ protocol: /^https?$/ }))
      .min(1)
      .describe('URLs where the crawl starts'),
    allow: z
      .array(z.string().min(1))
      .default([])
      .describe('hosts (or host:port) that the address guard lets through although they are loopback or private'),
    delay: z.number().min(0).max(3600).default(1).describe('seconds between two requests to one host'),
    parallel: z
      .int()
      .min(1)
      .max(16)
      .default(1)
      .describe('requests side by side to one host; more than 1 only where you own it'),
    scope: z
      .strictObject({
        hosts: z
          .array(z.string().min(1))
          .default([])
          .describe('hosts beside those of the seeds; *.example.org stands for all below'),
        include: z
          .array(z.string().min(1))
          .default([])
          .describe(
            'only URLs that one of these matches; * stands for any characters; a pattern that begins with / is held against path and query',
          ),
        exclude: z.array(z.string().min(1)).default([]).describe('URLs that are left out; patterns as in include'),
      })
      .prefault({})
      .describe('which links are followed; by default those to the hosts of the seeds'),
    depth: z.int().min(0).max(1000).default(20).describe('links followed from a seed'),
    max_pages: positive('pages asked for at most').default(100_000),
    max_bytes: positive('largest page, as it comes over the wire and decompressed [bytes]').default(10_000_000),
    timeout: z.number().min(0.1).max(600).default(30).describe('seconds a page may take in all'),
    redirects: z.int().min(0).max(20).default(10).describe('redirects followed in a row'),
    per_shape: positive('URLs of one shape (path with digits as #, names of parameters) at most').default(10_000),
    per_calendar: positive('URLs of one shape at most where it looks like a calendar').default(50),
    sitemaps: z.boolean().default(true).describe('read the sitemaps that robots.txt names, and /sitemap.xml'),
    browser: z
      .enum(['auto', 'never'])
      .default('auto')
      .describe('auto: a page that only JavaScript fills is opened in the Chromium of this machine'),
    retries: z.int().min(0).max(10).default(2).describe('further attempts after 429, 503 or a broken connection'),
    contact: z.string().default('').describe('URL or mail address in the user agent, so that a site can reach you'),
    opt_outs: z
      .array(z.enum(OPT_OUTS))
      .default([...OPT_OUTS])
      .describe('opt-outs that make a page refused; all are recorded'),
  })
  .describe('a website, crawled with manners');

export type CrawlRecipe = z.output<typeof crawlSection>;
