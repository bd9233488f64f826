// What somebody sees who searches: a list of places below each search field, with the passage that has the words.
import { OPTIONS, find, marksIn, passage } from "./words.js";

const MARK = "BUILD_MARK"; // of the build, so that no file of an older one is taken for it
const HERE = document.currentScript.src;
const SITE = new URL("../../", HERE);
const WEIGHTS = { chapter: 1.2, glossary: 1.4, API: 0.9, page: 1 };
const PAUSE = 120; // milliseconds without a key before it looks
const STEP = 10; // places that are shown at once
const NOT_WRITTEN = "\u2063"; // around what stands otherwise in the page (tools/site/search.py)

// --- what is loaded, each once ----------------------------------------------------------------------------------------

const waiting = new Map();
const loaded = new Map();
globalThis.bookSearch = { take: (name, data) => waiting.get(name)?.(data) };

/** The data of _static/search/NAME.js: a script, since a page that is opened from a file may fetch nothing else. */
function load(name) {
  if (!loaded.has(name)) {
    const promise = new Promise((resolve, reject) => {
      waiting.set(name, resolve);
      const src = new URL(`${name}.js?v=${MARK}`, HERE);
      const script = Object.assign(document.createElement("script"), { src });
      script.addEventListener("error", () => reject(new Error(`${name} did not arrive`)));
      document.head.append(script);
    });
    promise.catch(() => loaded.delete(name)); // the next word that is typed asks again
    loaded.set(name, promise);
  }
  return loaded.get(name);
}

let opened = null;
async function open() {
  const { pages, places, index } = await load("index");
  return (opened ??= {
    index: MiniSearch.loadJS(index, OPTIONS),
    places: places.map(([page, anchor, section]) => {
      const [path, title, kind] = pages[page];
      const name = section
        ? section === anchor
          ? section.split(".").at(-1)
          : section
        : title.replace(/^\d+\. /, "");
      const asks = path === "book/solutions" || /^Exercise/.test(section); // who searches wants what answers
      const weight = WEIGHTS[kind] * (asks ? 0.6 : 1) * (section ? 1 : 1.2);
      return { path, title, kind, anchor, section, name, weight };
    }),
  });
}

// --- one place --------------------------------------------------------------------------------------------------------

function h(name, properties, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

/** The text with its words marked; data of the book are text here, never HTML. */
function marked(text, marks) {
  const parts = [];
  let done = 0;
  for (const [start, end] of marks) {
    parts.push(text.slice(done, start), h("mark", {}, text.slice(start, end)));
    done = end;
  }
  return [...parts, text.slice(done)].map((part) =>
    typeof part === "string" ? shown(part) : part,
  );
}

const shown = (text) => text.replaceAll(NOT_WRITTEN, "").replace(/\s*\n\s*/g, " · ");

/** Where the browser can, it goes to the words of the passage and not only to the section. */
function wordsIn({ text, marks }) {
  if (!("fragmentDirective" in document) || !marks.length) return "";
  const words = text
    .slice(marks[0][0])
    .match(/^[^\n\u2063·…]*/)[0]
    .trim()
    .split(" ")
    .slice(0, 5)
    .join(" ");
  return words.length < marks[0][1] - marks[0][0]
    ? ""
    : `:~:text=${encodeURIComponent(words).replaceAll("-", "%2D")}`;
}

/** @returns {[HTMLElement, Promise]} what is shown of a place, and when its passage is there */
function entry({ path, title, kind, anchor, section }, terms, id) {
  const marks = (text) => marked(text, marksIn(text, terms));
  const way = h(
    "span",
    { className: "search-way" },
    ...(section
      ? [...marks(title), " › ", h("b", {}, ...marks(section))]
      : [h("b", {}, ...marks(title))]),
  );
  const text = h("span", { className: "search-passage" });
  const link = h(
    "a",
    { id, href: new URL(`${path}.html#${anchor}`, SITE), className: "search-place", tabIndex: -1 },
    way,
    h("span", { className: "search-kind" }, kind),
    text,
  );
  link.setAttribute("role", "option");
  link.setAttribute("aria-selected", "false");
  const ready = load(path).then(
    (texts) => {
      const found = passage(texts[anchor], terms);
      text.append(
        found.cut ? "… " : "",
        ...marked(found.text, found.marks),
        found.more ? " …" : "",
      );
      link.hash = `${anchor}${wordsIn(found)}`;
    },
    () => text.append("The text of this page did not arrive."),
  );
  return [link, ready];
}

// --- the list below a field -------------------------------------------------------------------------------------------

let lists = 0;

function attach(field) {
  const form = field.form;
  const name = `search-places-${++lists}`;
  const count = h("p", { className: "search-count" });
  const list = h("div", { className: "search-places", id: name, hidden: true });
  count.setAttribute("role", "status");
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Places in the book");
  for (const [key, value] of Object.entries({
    role: "combobox",
    "aria-autocomplete": "list",
    "aria-controls": name,
    "aria-expanded": "false",
  }))
    field.setAttribute(key, value);
  form.after(count, list);

  let [found, terms, typed] = [[], new Set(), null];
  const finger = matchMedia("(pointer: coarse)").matches;

  const active = () => list.querySelector("[aria-selected=true]");
  const choose = (option) => {
    active()?.setAttribute("aria-selected", "false");
    option?.setAttribute("aria-selected", "true");
    if (option) field.setAttribute("aria-activedescendant", option.id);
    else field.removeAttribute("aria-activedescendant");
  };
  const more = new IntersectionObserver(
    (seen) => seen.some((each) => each.isIntersecting) && add(),
    { root: null },
  );

  function add() {
    more.disconnect();
    const from = list.childElementCount;
    for (const { id } of found.slice(from, from + STEP)) {
      const [link] = entry(opened.places[id], terms, `${name}-${list.childElementCount}`);
      list.append(link);
    }
    if (list.childElementCount < found.length) more.observe(list.lastElementChild);
  }

  async function look() {
    const now = field.value;
    if (now.trim() === typed) return;
    typed = now.trim();
    try {
      if (!opened) count.textContent = typed && "Loading the index …";
      await open();
    } catch {
      if (now === field.value)
        [typed, count.textContent] = [
          null,
          "The search did not arrive: check your connection, then type on.",
        ];
      return;
    }
    if (now !== field.value) return;
    const result = find(opened.index, now, opened.places);
    found = result.found;
    terms = new Set(found.flatMap(({ terms }) => terms));
    choose(null);
    list.replaceChildren();
    add();
    list.hidden = !found.length;
    list.scrollTop = 0;
    field.setAttribute("aria-expanded", String(Boolean(found.length)));
    if (found.length && !finger) choose(list.firstElementChild);
    const pages = new Set(found.map(({ id }) => opened.places[id].path)).size;
    const many = (number, what) => `${number} ${what}${number === 1 ? "" : "s"}`;
    if (!typed) count.textContent = "";
    else if (!found.length)
      count.textContent = "Nothing found. Try one word, or the beginning of one.";
    else {
      const without = result.missing.map(
        (word) => `‘${word}’ stands nowhere in the book; shown is what comes near.`,
      );
      count.textContent = [
        ...without,
        `${many(found.length, "place")} on ${many(pages, "page")}`,
      ].join(" ");
    }
    count.dataset.of = now; // what the list below answers
    if (!form.closest("dialog")) {
      const address = new URL(location);
      address.searchParams.set("q", typed);
      history.replaceState(null, "", address);
    }
  }

  let wait;
  field.addEventListener("input", () => {
    clearTimeout(wait);
    wait = setTimeout(look, PAUSE);
  });
  field.addEventListener("focus", () => {
    field.select();
    look(); // Escape may have emptied it
  });
  field.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || event.altKey || event.ctrlKey || event.metaKey || !found.length) return;
    event.preventDefault();
    const options = [...list.children];
    const at = options.indexOf(active());
    if (at + step >= options.length) add();
    const next =
      at < 0 && step < 0
        ? list.lastElementChild
        : list.children[(at + step + options.length) % list.childElementCount];
    choose(next);
    next.scrollIntoView({ block: "nearest" });
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(wait);
    look().then(() => {
      if (active()) active().click();
      else field.blur(); // the keyboard of a phone makes room for the list
    });
  });
  list.addEventListener("click", ({ target, ctrlKey, metaKey, shiftKey }) => {
    if (target.closest("a") && !ctrlKey && !metaKey && !shiftKey) form.closest("dialog")?.close();
  });
  if (!form.closest("dialog")) field.value ||= new URLSearchParams(location.search).get("q") ?? "";
  look();
}

document.querySelectorAll("form.bd-search input").forEach(attach);
