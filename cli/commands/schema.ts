import { recipeJsonSchema } from '../../core/recipe/read.ts';
import { defineCommand } from '../command.ts';
import { recipeSchema } from '../pipeline.ts';

export default defineCommand({
  name: 'schema',
  summary: 'the JSON Schema of recipes, for editors',
  examples: [
    'garner schema > recipe.schema.json',
    '# first line of a recipe: # yaml-language-server: $schema=recipe.schema.json',
  ],
  run(_, __, terminal) {
    terminal.stdout.write(`${JSON.stringify(recipeJsonSchema(recipeSchema), null, 2)}\n`);
    return Promise.resolve(0);
  },
});
