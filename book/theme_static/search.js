// Loads the search (_static/search, made by tools/site/search.py) when somebody goes to its field, and opens it with "/" too.
// Its dialog, its buttons and Ctrl-K are the theme's.
{
  const folder = new URL("search/", document.currentScript.src);
  const fields = [...document.querySelectorAll("form.bd-search input")];
  const dialog = document.getElementById("pst-search-dialog");
  const note = document.createElement("p");
  note.className = "search-count";
  note.role = "alert";
  let asked = false;

  const load = () => {
    if (asked) return;
    asked = true;
    const style = document.createElement("link");
    Object.assign(style, { rel: "stylesheet", href: new URL("results.css", folder) });
    const script = document.createElement("script");
    script.src = new URL("search.js", folder);
    script.onerror = () => {
      asked = false; // the next letter asks for it again
      note.textContent = "The search did not arrive: check your connection, then type on.";
      fields.find((field) => field.offsetParent)?.form.after(note);
    };
    script.onload = () => note.remove();
    document.head.append(style, script);
  };
  for (const field of fields) for (const event of ["focus", "input"]) field.addEventListener(event, load);
  if (fields.some((field) => !dialog?.contains(field))) load(); // the page that is for searching

  addEventListener(
    "keydown",
    (event) => {
      const { key, target, ctrlKey, altKey, metaKey } = event;
      if (key !== "/" || ctrlKey || altKey || metaKey || dialog?.open) return;
      if (target.isContentEditable || target.closest?.("input, textarea, select")) return;
      event.preventDefault();
      event.stopPropagation(); // Sphinx would look for a field that is not there
      const own = fields.find((field) => !dialog?.contains(field));
      if (own) own.focus();
      else dialog?.showModal();
    },
    true,
  );
}
