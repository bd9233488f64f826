// Run by tools/pdf.py in the long page that it prints.

// Put the articles of the pages behind one another: pages are [path, name]. An id gets the name of its page before it,
// and a link to a page that is here leads there. What is wrong is told.
async function assemble({ pages, address, published }) {
  const whole = document.querySelector("#whole");
  const names = new Map(pages);
  const refers = ["for", "aria-labelledby", "aria-describedby", "aria-controls", "aria-owns"];
  for (const [page, name] of names) {
    const at = address + page + ".html";
    const text = await (await fetch(at)).text();
    const article = document.adoptNode(new DOMParser().parseFromString(text, "text/html").querySelector("article"));
    const own = (id) => `${name}--${id}`;
    for (const each of article.querySelectorAll("*")) {
      if (each.id) each.id = own(each.id);
      for (const attribute of refers)
        if (each.hasAttribute(attribute))
          each.setAttribute(attribute, each.getAttribute(attribute).split(/\s+/).map(own).join(" "));
      for (const { name, value } of [...each.attributes])
        if (value.includes("url(#"))
          each.setAttribute(
            name,
            value.replace(/url\(#([^)]+)\)/g, (_, id) => `url(#${own(id)})`),
          );
      for (const attribute of ["src", "href"]) {
        const value = each.getAttribute(attribute);
        if (value === null || value.startsWith("data:")) continue;
        if (each.localName !== "a") {
          if (value.startsWith("#")) each.setAttribute(attribute, "#" + own(value.slice(1)));
          else each.setAttribute(attribute, new URL(value, at).href);
          continue;
        }
        const to = new URL(value, at);
        if (!to.href.startsWith(address)) continue;
        const path = to.href.slice(address.length).replace(/[?#].*/, "");
        const there = names.get(path.replace(/\.html$/, ""));
        if (there) each.setAttribute("href", `#${there}${to.hash && "--" + to.hash.slice(1)}`);
        else if (published) each.setAttribute("href", published + path + to.hash);
        else each.removeAttribute("href");
      }
    }
    article.id = name;
    article.classList.add("page");
    // A page is read with its folds closed; what is only a list of answers is read open.
    article.querySelectorAll("details.sd-dropdown").forEach((each) => (each.open = true));
    article.querySelectorAll("img").forEach((each) => (each.loading = "eager"));
    whole.append(article);
    // A script runs when it is made in this page, and not when it comes from another.
    for (const script of article.querySelectorAll("script[type=module]:not([src])")) {
      const copy = document.createElement("script");
      copy.type = "module";
      copy.textContent = script.textContent;
      script.replaceWith(copy);
    }
  }
  await new Promise((done) => setTimeout(done, 300));
  dispatchEvent(new Event("beforeprint"));
  await Promise.all([...document.images].map((image) => image.decode().catch(() => null)));
  await document.fonts.ready;
  const named = (what, selector, isWrong) =>
    [...whole.querySelectorAll(selector)]
      .filter(isWrong)
      .map((each) => `${what}: ${each.cloneNode().outerHTML} in ${each.closest("article").id}`);
  return {
    titles: [...whole.querySelectorAll("article")].map((each) => {
      const title = each.querySelector("h1").cloneNode(true);
      title.querySelectorAll(".headerlink, .katex-html, annotation").forEach((x) => x.remove());
      return title.textContent.trim();
    }),
    wrong: [
      ...named("not drawn", ".dc-figure:has(> script)", (each) => !each.matches(".dc-ready")),
      ...named(
        "empty",
        ".dc-figure canvas",
        (each) =>
          !each
            .getContext("2d")
            .getImageData(0, 0, each.width, each.height)
            .data.some((value) => value),
      ),
      ...named(
        "wider than the paper",
        "pre, table, img, div.math",
        (each) =>
          each.scrollWidth > each.clientWidth + 1 || each.getBoundingClientRect().right > document.body.clientWidth,
      ),
      ...named("no picture", "img", (each) => !each.naturalWidth),
      ...named(
        "leads nowhere",
        "a[href^='#']",
        (each) => !document.getElementById(decodeURIComponent(each.getAttribute("href").slice(1))),
      ),
    ],
  };
}
