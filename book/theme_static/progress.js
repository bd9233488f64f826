// Marks what a reader has read: in the list of pages and on the cards of the front page. It is kept in this browser
// and nowhere else. A section counts as read when its end has stood on the screen for a moment.
//
// What is kept, as JSON: {version: 1, pages: {"notebooks/01_name": {sections: [id, ...], read: [id, ...]}}}.
// A page may hold more than that; what is not known here stays as it is.
{
  const MOMENT = 1500; // milliseconds
  const root = new URL(document.documentElement.dataset.content_root ?? "./", location.href);
  const KEY = `reading ${root.pathname}`; // several books may have the same host
  const nameOf = (address) =>
    decodeURI(new URL(address, location.href).pathname)
      .replace(decodeURI(root.pathname), "")
      .replace(/\.html$/, "");
  const here = nameOf(location.href);
  const note = document.querySelector(".progress-note");

  const load = () => {
    let kept;
    try {
      kept = JSON.parse(localStorage.getItem(KEY));
    } catch {} // somebody else's text
    const whole = kept?.version === 1 && kept.pages instanceof Object;
    return whole ? kept : { version: 1, pages: {} };
  };
  const store = (kept) => {
    try {
      localStorage.setItem(KEY, JSON.stringify(kept));
    } catch {} // it is full
  };

  const stateOf = (page) => {
    const { sections, read } = page ?? {};
    if (!Array.isArray(sections) || !Array.isArray(read)) return null;
    const done = sections.filter((id) => read.includes(id));
    if (!done.length) return null;
    const next = sections.slice(sections.indexOf(done.at(-1))).find((id) => !done.includes(id));
    return {
      share: done.length / sections.length,
      next: next ?? sections.find((id) => !done.includes(id)),
      text:
        done.length < sections.length
          ? `${done.length} of ${sections.length} sections read`
          : "finished",
    };
  };

  const mark = (link, place, state) => {
    const old = place.querySelector(".read-mark");
    if (!state) return old?.remove();
    const sign = old ?? place.appendChild(document.createElement("span"));
    sign.className = "read-mark";
    if (place === link) {
      sign.setAttribute("role", "img");
      sign.setAttribute("aria-label", state.text);
      sign.title = state.text;
      sign.style.setProperty("--read", `${Math.round(100 * state.share)}%`);
    } else {
      sign.textContent = state.text;
    }
  };

  const show = ({ pages }) => {
    for (const link of document.querySelectorAll(".bd-links li > a.internal"))
      mark(link, link, stateOf(pages[nameOf(link.href)]));
    for (const link of document.querySelectorAll(".chapter-cards a")) {
      const state = stateOf(pages[nameOf(link.href)]);
      mark(link, link.closest("li"), state);
      link.hash = state?.next ?? ""; // half a chapter goes on where one stopped
    }
    const forget = note?.querySelector("button");
    if (forget) forget.disabled = !Object.keys(pages).length;
  };

  const watch = () => {
    const sections = [...document.querySelectorAll(".bd-article > section > section[id]")];
    if (!sections.length) return;
    const look = () => {
      if (document.visibilityState !== "visible") return;
      const ends = sections.filter((section) => {
        const { bottom } = section.getBoundingClientRect();
        return bottom > 0 && bottom <= innerHeight + 1;
      });
      if (!ends.length) return;
      const kept = load(); // another window may have written meanwhile
      const page = (kept.pages[here] ??= {});
      const read = new Set(Array.isArray(page.read) ? page.read : []);
      for (const { id } of ends) read.add(id);
      page.sections = sections.map(({ id }) => id);
      page.read = page.sections.filter((id) => read.has(id));
      store(kept);
      show(kept);
    };
    let waiting = setTimeout(look, MOMENT);
    const wait = () => {
      clearTimeout(waiting);
      waiting = setTimeout(look, MOMENT);
    };
    for (const event of ["scroll", "visibilitychange"])
      document.addEventListener(event, wait, { passive: true });
  };

  // Where a browser keeps nothing (the stand-in of layout.html), nothing is marked.
  if (!(localStorage instanceof Storage)) {
    if (note) note.style.visibility = "hidden";
  } else {
    show(load());
    if (document.querySelector('meta[name="book-part"]')) watch();
    note?.querySelector("button").addEventListener("click", () => {
      localStorage.removeItem(KEY);
      show(load());
    });
    addEventListener("storage", ({ key }) => key === KEY && show(load()));
  }
}
