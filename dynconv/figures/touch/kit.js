// The parts that every figure to touch is made of. No framework, no state outside the element, no
// other host.
// Colours come from CSS variables (style.py), so that a change of theme recolours everything at
// once.

/** Fixed digits and a true minus; what rounds to zero has no sign. */
export function number(value, digits = 2) {
  const text = value.toFixed(digits);
  return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "−");
}

/** 92160 -> "92,160" */
export function count(value) {
  return Math.round(value).toLocaleString("en-US");
}

/** Name of expert `i`, counted from 0 in code and from 1 in the text. */
export function expertName(i) {
  return `expert ${i + 1}`;
}

export function subscript(i) {
  return String(i + 1).replace(/\d/g, (digit) => "₀₁₂₃₄₅₆₇₈₉"[digit]);
}

/** Σ alpha[i] · experts[i], maps of any size. */
export function mix(experts, alpha) {
  const weighed = (r, c) => experts.reduce((sum, expert, i) => sum + alpha[i] * expert[r][c], 0);
  return experts[0].map((row, r) => row.map((_, c) => weighed(r, c)));
}

/** The largest |value| of a map. */
export function largest(map) {
  return map.flat().reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}

/**
 * An element with attributes and children; null attributes are left out, functions become
 * listeners.
 */
export function h(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

/** An SVG with attributes and content; over a picture or as one. */
export function svg(attributes, markup = "") {
  const root = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  for (const [name, value] of Object.entries(attributes)) root.setAttribute(name, value);
  root.innerHTML = markup;
  return root;
}

// JupyterLab takes the arrow keys unless each focusable element itself carries this mark.
const KEYS = { "data-lm-suppress-shortcuts": "true" };

export function button(text, click, attributes = {}) {
  return h("button", { type: "button", class: "dc-button", click, ...KEYS, ...attributes }, text);
}

/** A labelled row of buttons. */
export function buttons(label, ...items) {
  return h(
    "div",
    { class: "dc-buttons", role: "group", "aria-label": label },
    h("span", {}, label),
    ...items,
  );
}

/**
 * A bar in an expert's colour and hatch (or grey when `expert` is null) on a track; set(from, to)
 * in fractions of the track.
 */
export function bar(expert = null) {
  const fill = h("span", { class: "dc-fill", style: expertStyle(expert) });
  const set = (from, to) => {
    fill.style.left = `${100 * Math.min(from, to)}%`;
    fill.style.width = `${100 * Math.abs(to - from)}%`;
  };
  return { root: h("span", { class: "dc-track" }, fill), fill, set };
}

export function expertStyle(expert) {
  if (expert === null) return "--c:var(--dc-baseline)";
  return `--c:var(--dc-expert-${(expert % 8) + 1});--hatch:var(--dc-hatch-${(expert % 8) + 1})`;
}

/**
 * A native range input whose track is a bar from `origin` to the value, inside a label that shows
 * name and value. `format` gives the visible value; `spoken` says it in words if the visible one is
 * not enough.
 */
export function slider({
  label,
  min,
  max,
  step,
  value,
  origin = min,
  expert = null,
  format = number,
  change,
}) {
  // aria-valuetext says it, once
  const shown = h("output", { class: "dc-value", "aria-hidden": "true" });
  const line = bar(expert);
  const input = h("input", {
    type: "range",
    min,
    max,
    step,
    value,
    ...KEYS,
    input: () => {
      update();
      change(Number(input.value));
    },
  });
  const root = h(
    "label",
    { class: "dc-slider", style: expertStyle(expert) },
    h("span", { class: "dc-name" }, label),
    h("span", { class: "dc-range" }, line.root, input),
    shown,
  ); // the input first: a label belongs to its first control, and an output is one
  const part = (v) => (v - min) / (max - min);
  function update() {
    const v = Number(input.value);
    line.set(part(origin), part(v));
    shown.textContent = format(v);
    input.setAttribute("aria-valuetext", format(v));
  }
  update();
  const set = (v) => {
    input.value = v;
    update();
  };
  return { root, input, set };
}

/** A kernel as a grid of cells with numbers, diverging around 0 between −limit and +limit. */
export function heatmap(rows, columns, label) {
  const cells = Array.from({ length: rows * columns }, () => h("span"));
  const root = h(
    "div",
    { class: "dc-kernel", role: "img", "aria-label": label, style: `--columns:${columns}` },
    ...cells,
  );
  const set = (kernel, limit) => {
    const palette = signedPalette(root);
    kernel.flat().forEach((value, i) => {
      const ground = signedColour(palette, value, limit);
      cells[i].textContent = columns > 3 ? "" : number(value);
      cells[i].style.background = `rgb(${ground.map(Math.round)})`;
      cells[i].style.color = readable(ground);
    });
    const rows = kernel.map((row) => row.map((value) => number(value)).join(" ")).join("; ");
    root.setAttribute("aria-label", columns > 3 ? label : `${label}, row by row: ${rows}`);
  };
  return { root, set };
}

/** The diverging palette of the page's theme; the element must be in the page. */
export function signedPalette(element) {
  return ["zero", "negative", "positive"].map((name) => rgb(element, name));
}

export function signedColour([zero, negative, positive], value, limit) {
  const strength = Math.min(Math.abs(value) / limit, 1);
  return zero.map((base, c) => base + strength * ((value < 0 ? negative : positive)[c] - base));
}

/**
 * Text on a ground [r, g, b] (0 to 255): black or white, whichever stands out more, 4.5:1 or
 * better.
 */
export function readable(ground) {
  const [r, g, b] = ground.map((v) =>
    v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4,
  );
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000" : "#fff";
}

/**
 * A map as crisp pixels. paint(map) is grey, 0 to 1; paint(map, limit) is signed, in the diverging
 * palette of the theme.
 */
export function pixels(label) {
  const canvas = h("canvas", { class: "dc-pixels", role: "img", "aria-label": label });
  const paint = (map, limit = null) => {
    const [height, width] = [map.length, map[0].length];
    if (canvas.width !== width || canvas.height !== height)
      Object.assign(canvas, { width, height });
    const context = canvas.getContext("2d");
    const image = context.createImageData(width, height);
    const palette = signedPalette(canvas);
    map.flat().forEach((value, i) => {
      const grey = 255 * Math.min(Math.max(value, 0), 1);
      image.data.set(
        limit === null ? [grey, grey, grey] : signedColour(palette, value, limit),
        4 * i,
      );
      image.data[4 * i + 3] = 255;
    });
    context.putImageData(image, 0, 0);
  };
  return { canvas, paint };
}

function rgb(element, name) {
  const hex = getComputedStyle(element).getPropertyValue(`--dc-${name}`).trim();
  return [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
}

/**
 * One sentence on what the picture shows now; read out when the reader pauses, not at every step of
 * a slider.
 */
export function summary() {
  const root = h("p", { class: "dc-summary", "aria-live": "polite" });
  let timer = null;
  const say = (text) => {
    clearTimeout(timer);
    timer = setTimeout(() => (root.textContent = text), root.textContent ? 400 : 0);
  };
  return { root, say };
}

/**
 * Make <name> draw the figure from the JSON inside it. `draw(element, data)` returns what repaints
 * its canvases, if it has any.
 */
export function define(name, draw) {
  // a second figure of this kind on the page, or a cell run again
  if (customElements.get(name)) return;
  customElements.define(
    name,
    class extends HTMLElement {
      connectedCallback() {
        // Drawn when it comes near the window, or when the page is printed.
        this.near = new IntersectionObserver(
          (seen) => seen.some((entry) => entry.isIntersecting) && this.show(),
          { rootMargin: "50% 0px" },
        );
        this.near.observe(this);
        addEventListener("beforeprint", this.show);
      }
      show = () => {
        this.near.disconnect();
        removeEventListener("beforeprint", this.show);
        if (!this.body) {
          // not when a notebook only moves the element
          this.body = h("div", { class: "dc-body" });
          this.append(this.body);
          this.repaint =
            draw(this.body, JSON.parse(this.querySelector("script").textContent)) ?? (() => {});
          this.classList.add("dc-ready");
          // Colab measures its frame once, before the figure is in it.
          const fit = globalThis.google?.colab?.output?.resizeIframeToContent;
          if (fit) new ResizeObserver(() => fit()).observe(this);
        }
        this.repaint();
        this.themes = new MutationObserver(() => this.repaint());
        const filter = {
          attributes: true,
          attributeFilter: ["data-theme", "theme", "class", "data-jp-theme-light"],
        };
        for (const node of [document.documentElement, document.body])
          this.themes.observe(node, filter);
      };
      disconnectedCallback() {
        this.near.disconnect();
        removeEventListener("beforeprint", this.show);
        this.themes?.disconnect();
      }
    },
  );
}
