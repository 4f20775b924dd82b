import { OPT_OUTS } from '../web/recipe.ts';

/** What the stages read of the recipe to know which opt-outs are obeyed. */
export interface OptOutRecipe {
  crawl?: { opt_outs?: readonly string[] | undefined } | undefined;
}

/** The opt-outs that keep a page out: those of the section `crawl`, else all that garner knows. */
export const obeyedOptOuts = (recipe: OptOutRecipe): readonly string[] => recipe.crawl?.opt_outs ?? OPT_OUTS;
