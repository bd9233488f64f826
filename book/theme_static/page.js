// What the theme leaves to attributes, which the page's policy does not run (tools/site/safe_pages.py), and to
// bootstrap.js (80 kB), of which it uses menus that open. Loaded at the end of the page.
document
  .querySelector(".btn-fullscreen-button")
  ?.addEventListener("click", () => toggleFullScreen());
document.querySelector(".btn-download-pdf-button")?.addEventListener("click", () => print());

for (const button of document.querySelectorAll('[data-bs-toggle="dropdown"]')) {
  const menu = button.nextElementSibling;
  const open = (whether) => {
    menu.classList.toggle("show", whether);
    button.setAttribute("aria-expanded", whether);
  };
  button.addEventListener("click", () => open(!menu.classList.contains("show")));
  addEventListener("click", ({ target }) => !button.contains(target) && open(false));
  button.parentElement.addEventListener("keydown", ({ key }) => {
    if (key !== "Escape") return;
    open(false);
    button.focus();
  });
  button.parentElement.addEventListener("focusout", ({ relatedTarget }) => {
    if (relatedTarget && !button.parentElement.contains(relatedTarget)) open(false);
  });
}

const wide = document.querySelectorAll(".bd-article :is(table, pre, div.math)");
const reachable = () =>
  wide.forEach((each) => each.scrollWidth > each.clientWidth && (each.tabIndex = 0));
addEventListener("resize", reachable);
reachable();

// Paper is white: what is dark on the screen is printed light, figures to touch too.
const root = document.documentElement.dataset;
let onScreen = root.theme;
addEventListener("beforeprint", () => ([onScreen, root.theme] = [root.theme, "light"]));
addEventListener("afterprint", () => (root.theme = onScreen));
