// α of every dynamic layer: bars to read, sliders to take over, and who decides.
import { button, buttons, expertName, expertStyle, h, slider, subscript } from "./kit.js";

const GAP = 11; // pixels between two marks, so that each can be read

/**
 * Where to write marks that belong at these places, no two nearer than `gap`, each near its place
 * and in their order.
 * @param {number[]} places
 * @returns {number[]}
 */
export function spread(places, gap, from, to) {
  const order = places.map((_, i) => i).sort((a, b) => places[a] - places[b]);
  const out = [...places];
  let edge = -Infinity;
  for (const i of order) edge = out[i] = Math.max(out[i], edge + gap, from);
  edge = Infinity;
  for (const i of order.reverse()) edge = out[i] = Math.min(out[i], edge - gap, to);
  return out;
}

/**
 * @param facts see engine.js
 * @param {() => void} changed
 * @param {() => Promise<{alpha: Object<string, number[]>}>} ask what the detector says of now
 */
export function makeRouting(facts, changed, ask) {
  const { layers, lights, marks } = facts;
  const given = {}; // α by layer, where not the router decides
  const owner = {}; // "router", "yours", "frozen" or a light, by layer
  let latest = null; // α as it was used last
  let turn = 0; // a later choice overtakes one that waits

  const ways = { router: "routers", frozen: "freeze" };
  const names = ["router", ...lights, "frozen"];
  const choices = names.map((name) => ({
    name,
    node: button(marks[name] ? `${marks[name]} ${name}` : ways[name], () => decide(name), {
      "aria-pressed": "false",
    }),
  }));
  const group = buttons("α from", ...choices.map(({ node }) => node));

  /** Let one decide in all layers. */
  async function decide(name) {
    const mine = ++turn;
    const alpha = name === "frozen" ? (await ask()).alpha : null; // the last may be of the picture before
    if (mine !== turn) return;
    for (const layer of layers) hand(layer, name, alpha);
    show();
    changed();
  }
  function hand(layer, name, alpha) {
    owner[layer.name] = name;
    if (name === "router") delete given[layer.name];
    else given[layer.name] = [...(layer.means[name] ?? alpha[layer.name])];
  }
  function take(layer, expert, value) {
    turn += 1;
    const values = [...(given[layer.name] ?? latest[layer.name])];
    values[expert] = value;
    given[layer.name] = values;
    owner[layer.name] = "yours";
    show();
    changed();
  }

  const panels = layers.map((layer, k) => {
    const who = h("span", { class: "pg-who" });
    const back = button(
      "give back",
      () => {
        turn += 1;
        hand(layer, "router");
        rows[0].control.focus(); // the button disappears
        show();
        changed();
      },
      { "aria-label": `give layer ${k + 1} back to its router`, class: "dc-button pg-back" },
    );
    const rows = Array.from({ length: layer.experts }, (_, i) => makeRow(layer, k, i, take, facts));
    const title = h("strong", {}, `Layer ${k + 1}`, h("span", { class: "pg-path" }, layer.name));
    const root = h(
      "div",
      { class: "pg-layer", role: "group", "aria-label": `α of layer ${k + 1}` },
      h("div", { class: "pg-heading" }, title, who, back),
      ...rows.map((row) => row.root),
    );
    return { root, who, back, rows };
  });
  const many = layers.length > 4 ? " pg-many" : "";
  const root = h("div", { class: `pg-layers${many}` }, ...panels.map((panel) => panel.root));
  new ResizeObserver(() => panels.forEach(({ rows }) => rows.forEach((row) => row.fit()))).observe(
    root,
  );

  const key = h(
    "p",
    { class: "pg-key" },
    h("span", {}, "Each bar is one expert’s α, from 0 to 1. Drag it."),
    ...lights.map((light) => h("span", {}, `${marks[light]} mean of ${light}`)),
    h("span", { class: "pg-key-router" }, "the routers’ own α"),
  );

  function show() {
    const owners = layers.map(({ name }) => owner[name]);
    for (const { name, node } of choices) {
      node.setAttribute("aria-pressed", String(owners.every((each) => each === name)));
    }
    key.classList.toggle(
      "pg-overruled",
      owners.some((each) => each !== "router"),
    );
    panels.forEach(({ root, who, back }, k) => {
      const name = owners[k];
      who.textContent = marks[name] ? `${marks[name]} mean of ${name}` : name;
      back.hidden = name === "router";
      root.classList.toggle("pg-given", name !== "router");
    });
  }
  /**
   * @param alpha as it was used
   * @param own α by the routers alone, or null
   * @param light of the picture
   */
  function set(alpha, own, light) {
    latest = alpha;
    layers.forEach(({ name }, k) =>
      panels[k].rows.forEach((row, i) =>
        row.set((given[name] ?? alpha[name])[i], given[name] && own ? own[name][i] : null, light),
      ),
    );
  }
  for (const layer of layers) owner[layer.name] = "router";
  show();
  return {
    group,
    key,
    root,
    given,
    decide,
    set,
    owners: () => layers.map(({ name }) => owner[name]),
  };
}

/** One α: its bar is a slider; below it the means of the lights, each with its mark. */
function makeRow(layer, k, i, take, { lights, marks }) {
  const control = slider({
    label: `α${subscript(i)}`,
    min: 0,
    max: 1,
    step: 0.01,
    value: 0,
    expert: i,
    change: (value) => take(layer, i, value),
  });
  control.input.setAttribute("aria-label", `α of ${expertName(i)}, layer ${k + 1}`);
  const track = control.root.querySelector(".dc-track");
  const router = h("span", { class: "pg-router", title: "the routers' own α", hidden: "" });
  const ticks = lights.map((light) =>
    h("span", { class: "pg-tick", style: `left:${100 * layer.means[light][i]}%` }),
  );
  track.after(h("span", { class: "pg-ticks", "aria-hidden": "true" }, ...ticks, router));
  const signs = lights.map((light) =>
    h("span", { class: "pg-mark", title: `mean of ${light}` }, marks[light]),
  );
  const lane = h("div", { class: "pg-lane", "aria-hidden": "true" }, ...signs);
  const root = h("div", { class: "pg-row", style: expertStyle(i) }, control.root, lane);
  function fit() {
    const width = lane.clientWidth;
    const places = lights.map((light) => width * layer.means[light][i]);
    spread(places, GAP, 0, width).forEach((x, n) => (signs[n].style.left = `${x}px`));
  }
  function set(value, own, light) {
    control.set(value);
    router.hidden = own === null;
    if (own !== null) router.style.left = `${100 * own}%`;
    lights.forEach((name, n) => {
      ticks[n].classList.toggle("pg-light", name === light);
      signs[n].classList.toggle("pg-light", name === light);
    });
  }
  return { root, control: control.input, set, fit };
}
