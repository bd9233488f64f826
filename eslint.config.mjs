// What Prettier does not see in the figures to touch, the playground and the search: names that are not there, and statements made of commas.
export default [
  {
    files: ["dynconv/figures/touch/*.js", "book/playground/*.js", "book/search/*.js"],
    languageOptions: { ecmaVersion: 2022, sourceType: "module" },
    rules: { "no-sequences": ["error", { allowInParentheses: false }], "no-unused-vars": "error", "prefer-const": "error" },
  },
];
