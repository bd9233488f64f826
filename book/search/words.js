// What counts as a word in the search, the same for the index (tools/site/search.mjs) and for what a reader types.

const WORD = /\d+(?:\.\d+)+|[\p{L}\p{N}]+(?:_+[\p{L}\p{N}]+)*/gu;
const GREEK = new Map(
  Object.entries({
    α: "alpha",
    β: "beta",
    γ: "gamma",
    δ: "delta",
    ε: "epsilon",
    λ: "lambda",
    μ: "mu",
    π: "pi",
    σ: "sigma",
    τ: "tau",
  }),
);
// Words that stand everywhere lead nowhere.
const COMMON = new Set(
  (
    "a an and any are as at be been but by can could did do does for from had has have how i if in into is it its let may me my no not of" +
    " on or our out should so such than that the their them then there these they this those to us vs was we were what when where which who why" +
    " will with would you your"
  ).split(" "),
);

/** The form in which two spellings of one word are the same. */
function bare(word) {
  const plain = word
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .replace(/\p{Script=Greek}/gu, (letter) => GREEK.get(letter) ?? letter);
  const singular = /^\p{L}{3,}s$/u.test(plain) && !/(ss|us|is)$/.test(plain);
  if (!singular) return plain;
  return /[^aeiou]ies$/.test(plain) ? plain.slice(0, -3) + "y" : plain.slice(0, -1);
}

const counts = (form) => !COMMON.has(form) && /..|\d/u.test(form);

/** A word; as it is spelt, where that says something (mAP is no map); and the parts of a name such as kernel_size. */
function formsOf(word) {
  const parts = word
    .replace(/([\p{Ll}\p{N}])(\p{Lu})/gu, "$1_$2")
    .replace(/(\p{Lu}+)(\p{Lu}\p{Ll})/gu, "$1_$2")
    .split(/_+/)
    .filter((part) => part.length > 2)
    .map(bare)
    .filter(counts);
  const whole = bare(word);
  return {
    whole: counts(whole) ? whole : null,
    spelt: /\p{Ll}\p{Lu}/u.test(word) ? "=" + word : null,
    parts: parts.length > 1 ? parts : [],
  };
}

/** Every word of a text: where it stands, and its forms. */
export function words(text) {
  return [...text.matchAll(WORD)].map(({ 0: word, index }) => ({
    start: index,
    end: index + word.length,
    ...formsOf(word),
  }));
}

const formsIn = (text) => words(text).flatMap(forms);

function forms({ whole, spelt, parts }) {
  return [...new Set([whole, spelt, ...parts])].filter(Boolean);
}

/** What MiniSearch is told, when it makes the index and when it reads it. */
export const OPTIONS = {
  fields: ["heading", "page", "text", "code"],
  tokenize: formsIn,
  processTerm: (term) => term,
};

const SEARCH = {
  tokenize: (term) => [term],
  processTerm: (term) => term,
  weights: { prefix: 0.35, fuzzy: 0.3 },
  boost: { heading: 5, page: 1.5, text: 1, code: 0.2 },
};
const FEW = 8;

/**
 * The places for what somebody typed, the best first: those that have all words, then, if these are few, those that have some.
 * And the words that stand nowhere as they are typed.
 * @param index a MiniSearch with OPTIONS
 * @param {{name: string, weight: number}[]} places how each is called, and how much rather it is shown than its words alone say
 */
export function find(index, typed, places) {
  const all = words(typed).filter((word) => word.whole);
  const missing = [];
  const sought = all.map(({ whole, spelt, parts, start, end }, i) => {
    const unfinished = i === all.length - 1 && end === typed.length;
    const one = (term, worth = 1) => {
      const plain = {
        queries: [term],
        prefix: term.length > (unfinished ? 1 : 3),
        boostTerm: () => worth,
      };
      // A slip of the finger is looked for only where nothing is written so.
      const known = index.search(plain, SEARCH).length;
      return known ? plain : { ...plain, fuzzy: term.length > 3 && 0.2, maxFuzzy: 2 };
    };
    const plainly = one(whole);
    const ways = [plainly];
    if (spelt) ways.push({ queries: [spelt], prefix: true, boostTerm: () => 4 });
    if (parts.length)
      ways.push({ combineWith: "AND", queries: parts.map((part) => one(part, 0.2)) });
    if (plainly.fuzzy !== undefined) missing.push(typed.slice(start, end));
    return { combineWith: "OR", queries: ways };
  });
  if (!sought.length) return { found: [], missing };
  const name = String(formsIn(typed));
  const boostDocument = (id) =>
    places[id].weight * (String(formsIn(places[id].name)) === name ? 2 : 1);
  const having = (combineWith) =>
    index.search({ combineWith, queries: sought }, { ...SEARCH, boostDocument });
  const best = having("AND");
  const has = new Set(best.map(({ id }) => id));
  const others = best.length < FEW ? having("OR").filter(({ id }) => !has.has(id)) : [];
  return { found: [...best, ...others], missing };
}

const LETTERS = 190; // of a passage

/** Where the words that were found stand in some text: [[start, end], ...] */
export function marksIn(text, terms) {
  return words(text)
    .filter((word) => forms(word).some((form) => terms.has(form)))
    .map(({ start, end }) => [start, end]);
}

/**
 * The part of some text that has most of the words which were found.
 * @param {string[]} texts the first of those that have equally many is shown
 * @param {Set<string>} terms
 * @returns {{text: string, marks: [number, number][], cut: boolean, more: boolean}} where the words stand in it, and whether
 *   it begins or ends within the text
 */
export function passage(texts, terms) {
  let best = { text: "", start: 0, marks: [], worth: -1 };
  for (const text of texts) {
    const hit = (word) => forms(word).filter((form) => terms.has(form));
    const marks = words(text).filter((word) => hit(word).length);
    for (const { start } of marks) {
      const near = marks.filter((word) => word.start >= start && word.end <= start + LETTERS);
      const worth = new Set(near.flatMap(hit)).size + Math.min(near.length, 9) / 10;
      if (worth > best.worth) best = { text, start, marks, worth };
    }
    if (!best.text) best = { ...best, text };
  }
  const { text, start, marks } = best;
  // It begins with its sentence or, if that is long, a few words before the first mark.
  const before = text.slice(0, start);
  const ends = [". ", "! ", "? ", ": "]
    .map((end) => before.lastIndexOf(end) + end.length)
    .filter((at) => at > 1);
  const sentence = Math.max(before.lastIndexOf("\n") + 1, ...ends);
  const near = start - sentence < 60;
  const from = near ? sentence : before.lastIndexOf(" ", start - 40) + 1;
  const to =
    from + LETTERS < text.length
      ? Math.max(text.lastIndexOf(" ", from + LETTERS), start + 1)
      : text.length;
  return {
    text: text.slice(from, to),
    marks: marks
      .filter((word) => word.start >= from && word.end <= to)
      .map((word) => [word.start - from, word.end - from]),
    cut: !near,
    more: to < text.length,
  };
}
