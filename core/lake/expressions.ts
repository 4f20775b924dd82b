/** Words of a text in SQL: runs without white space that begin with a letter or digit; each Han, Hiragana and Katakana character counts for itself. */
export const wordsSql = (text: string): string =>
  `len(regexp_extract_all(${text}, '[\\p{Han}\\p{Hiragana}\\p{Katakana}]|[^\\s\\p{Han}\\p{Hiragana}\\p{Katakana}\\p{P}\\p{S}][^\\s\\p{Han}\\p{Hiragana}\\p{Katakana}]*'))`;

/** Host of a URL in SQL, without `www.` and port; NULL where there is none. */
export const domainSql = (url: string): string =>
  `nullif(regexp_extract(lower(${url}), '^[a-z][a-z0-9+.-]*://(?:[^/?#@]*@)?(?:www\\.)?([^/?#:]+)', 1), '')`;
