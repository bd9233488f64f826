// A card that shows what a link of the text leads to, while one points at the link or has come to it by key. The
// excerpts are made when the site is built (tools/site/previews.py) and loaded when the first card is asked for.
{
  const source = document.currentScript.dataset.previews;
  const LINKS = ".bd-article a.reference.internal";
  const NO_CARD = ".chapter-cards, .doors, .toctree-wrapper"; // they say themselves what they lead to
  const OPEN_AFTER = 250,
    CLOSE_AFTER = 250; // ms: passing over a link opens nothing, the way to the card closes nothing
  let loading, card, shown, timer;

  const load = () =>
    (loading ??= new Promise((done) => {
      const script = document.createElement("script");
      script.onload = () => done(window.previews);
      script.onerror = () => done({});
      script.src = source;
      document.head.append(script);
    }));

  const linkAt = (target) => {
    const link = target.closest?.(LINKS);
    return link && !link.closest(NO_CARD) && !link.closest(".preview-card") ? link : null;
  };

  const hide = () => {
    clearTimeout(timer);
    shown?.removeAttribute("aria-describedby");
    card?.remove();
    shown = null;
  };

  const show = async (link) => {
    clearTimeout(timer);
    if (shown === link) return;
    hide();
    shown = link;
    const content = (await load())[link.getAttribute("href")];
    if (!content || shown !== link) return;
    card ??= Object.assign(document.createElement("div"), {
      id: "preview-card",
      className: "bd-article preview-card",
    });
    card.setAttribute("role", "tooltip");
    card.innerHTML = content;
    document.body.append(card);
    link.setAttribute("aria-describedby", card.id);
    const line = link.getClientRects()[0],
      room = document.documentElement.clientWidth;
    const left = Math.max(8, Math.min(line.left, room - card.offsetWidth - 8));
    const below =
      line.bottom + card.offsetHeight + 8 < innerHeight || line.top < card.offsetHeight + 8;
    card.style.left = `${left + scrollX}px`;
    card.style.top = `${(below ? line.bottom + 4 : line.top - card.offsetHeight - 4) + scrollY}px`;
  };

  const later = (act, delay) => {
    clearTimeout(timer);
    timer = setTimeout(act, delay);
  };

  if (source) {
    document.addEventListener("pointerover", ({ target, pointerType }) => {
      if (pointerType === "touch") return; // a tap follows the link
      const link = linkAt(target);
      if (link) later(() => show(link), OPEN_AFTER);
      else if (card?.contains(target)) clearTimeout(timer);
      else if (document.activeElement !== shown) later(hide, CLOSE_AFTER);
    });
    document.addEventListener("focusin", ({ target }) => {
      const link = linkAt(target);
      if (link?.matches(":focus-visible")) show(link);
      else hide();
    });
    document.addEventListener("focusout", hide);
    document.addEventListener("click", ({ target }) => card?.contains(target) || hide());
    document.addEventListener("keydown", ({ key }) => key === "Escape" && hide());
  }
}
