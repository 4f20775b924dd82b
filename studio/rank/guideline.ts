/** What stands above the answers where nobody wrote another guideline. */
export const GUIDELINE = `Choose the answer that serves the person who asked best.
1. Is it true, and does it answer what was asked?
2. Is it complete, without what nobody asked for?
3. Is it clear and polite, in the language of the question?
Length alone is no merit. Say "tie" where you would take either, "all bad" where you would send none of them.`;
