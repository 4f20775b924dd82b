import { openLanguage } from '../../filters/language/identify.ts';
import { defineCommand } from '../command.ts';
import { pipe } from '../pipe.ts';

export default defineCommand({
  name: 'language',
  summary: 'name the language of JSON lines: {id, text} to {id, language, score}',
  arguments: [{ name: '[file]', about: 'JSON lines (.gz too); - or nothing reads standard input' }],
  examples: ['garner language pages.jsonl | jq -r .language | sort | uniq -c'],
  async run([file], _options, terminal) {
    const identify = await openLanguage();
    return pipe(file, terminal, (record) => {
      if (typeof record.text !== 'string') return { id: record.id, error: 'no_text' };
      const { language, score } = identify(record.text);
      return { id: record.id, language, score: Number(score.toFixed(6)) };
    });
  },
});
