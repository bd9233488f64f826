// The star operation on a plane: the sum of two linear functions is linear, their product is not.
import {
  button,
  buttons,
  h,
  number,
  pixels,
  readable,
  signedColour,
  signedPalette,
  slider,
  summary,
  svg,
} from "./kit.js";

/**
 * x·cos + y·sin + offset as [a, b, c] of ax + by + c; the direction in degrees, in which the
 * function grows.
 */
export function linear(direction, offset) {
  const exact = (v) => Math.round(v * 1e12) / 1e12; // cos 90° is 0
  return [
    exact(Math.cos((direction * Math.PI) / 180)),
    exact(Math.sin((direction * Math.PI) / 180)),
    offset,
  ];
}

/** The product of two linear functions, as the coefficients of x², xy, y², x, y, 1. */
export function coefficients([a, b, c], [d, e, f]) {
  return [a * d, a * e + b * d, b * e, a * f + c * d, b * f + c * e, c * f];
}

/** A function with these six coefficients, at a point. */
export function value([xx, xy, yy, x1, y1, one], x, y) {
  return xx * x * x + xy * x * y + yy * y * y + x1 * x + y1 * y + one;
}

/**
 * How many points have the right sign: class 1 above zero, class 0 below. Zero itself is neither.
 */
export function rightSigns(q, points, labels) {
  return points.filter(([x, y], i) => isRight(q, x, y, labels[i])).length;
}

export function isRight(q, x, y, label) {
  const v = value(q, x, y);
  return label === 1 ? v > 1e-9 : v < -1e-9;
}

/** How the lines f = 0 and g = 0 of the product lie: "cross", "parallel" or "same". */
export function lines([a, b, c], [d, e, f]) {
  if (Math.abs(a * e - b * d) > 1e-9) return "cross";
  return Math.abs(c - (a * d + b * e) * f) > 1e-9 ? "parallel" : "same";
}

const REACH = 2; // each panel shows −2 to 2
const LIMIT = 3; // full colour, in all panels
const SIDE = 64; // pixels of a map
const PRESETS = {
  XOR: [0, 0, 90, 0],
  parallel: [45, 0.8, 45, -0.8],
  square: [45, 0, 45, 0],
  opposite: [45, 0.8, -135, 0.8],
};

export function draw(element, { points, labels }) {
  const state = [...PRESETS.XOR]; // direction and offset of f, then of g
  const controls = ["direction of f", "offset of f", "direction of g", "offset of g"].map(
    (label, i) =>
      slider({
        label,
        value: state[i],
        origin: 0,
        change: (v) => {
          state[i] = v;
          update();
        },
        ...(i % 2
          ? { min: -1.5, max: 1.5, step: 0.1, format: (v) => (v > 0 ? "+" : "") + number(v, 1) }
          : { min: -180, max: 180, step: 5, format: (v) => `${number(v, 0)}°` }),
      }),
  );
  const presets = Object.entries(PRESETS).map(([name, values]) =>
    button(name, () => {
      values.forEach((v, i) => {
        state[i] = v;
        controls[i].set(v);
      });
      update();
    }),
  );

  const panels = ["f", "g", "f + g", "f · g"].map((name, i) => {
    const map = pixels(`${name} on the plane`);
    const over = svg({
      class: "dc-over",
      "aria-hidden": "true",
      viewBox: `${-REACH} ${-REACH} ${2 * REACH} ${2 * REACH}`,
    });
    const [note, score] = [h("span", { class: "dc-detail" }), h("span", { class: "dc-detail" })];
    const root = h(
      "div",
      { class: `dc-plane dc-plane-${i}` },
      h("div", { class: "dc-picture" }, map.canvas, over),
      h("strong", { class: "dc-label" }, name),
      note,
      score,
    );
    return { name, map, over, note, score, root };
  });

  const powers = ["x²", "xy", "y²", "x", "y", "1"];
  const cell = (role, ...content) => h("span", { role }, ...content);
  const rows = panels.map(({ name }) => {
    const cells = powers.map(() => cell("cell"));
    return { cells, root: h("div", { role: "row" }, cell("rowheader", name), ...cells) };
  });
  const table = h(
    "div",
    { class: "dc-terms", role: "table", "aria-label": "coefficient of each term" },
    h(
      "div",
      { role: "row" },
      cell("columnheader", "term"),
      ...powers.map((power) => cell("columnheader", power)),
    ),
    ...rows.map(({ root }) => root),
  );
  const legend = h(
    "p",
    { class: "dc-legend" },
    h("span", {}, "x to the right, y upwards, each −2 to 2"),
    h("span", {}, "line: zero"),
    h("span", {}, `full colour: ±${LIMIT}`),
    points.length
      ? h("span", {}, "● class 1, should be positive; ○ class 0; struck out: wrong sign")
      : null,
  );
  const sentence = summary();
  let functions; // f, g, f + g, f · g as six coefficients each

  function update() {
    const [f, g] = [linear(state[0], state[1]), linear(state[2], state[3])];
    const sum = f.map((v, i) => v + g[i]);
    const product = coefficients(f, g);
    functions = [...[f, g, sum].map((v) => [0, 0, 0, ...v]), product];
    [[f], [g], [sum], [f, g]].forEach((zeros, i) => {
      panels[i].over.innerHTML =
        signs(functions[i]) + line(zeros.map(zeroLine).join("")) + marks(functions[i]);
      rows[i].cells.forEach((node, j) => (node.textContent = number(functions[i][j])));
      panels[i].note.textContent = i < 2 ? "one line" : "";
      if (points.length)
        panels[i].score.textContent =
          `${rightSigns(functions[i], points, labels)} of ${points.length} right`;
    });
    const flat = Math.hypot(sum[0], sum[1]) < 1e-9; // f and g grow in opposite directions
    const away = !flat && Math.abs(sum[2]) > REACH * (Math.abs(sum[0]) + Math.abs(sum[1]));
    const how = lines(f, g);
    // do parallel functions grow in the same direction?
    const along = f[0] * g[0] + f[1] * g[1] > 0;
    panels[2].note.textContent = flat
      ? `${number(sum[2])} everywhere`
      : away
        ? "a line out of view"
        : "one line";
    panels[3].note.textContent = {
      cross: "two lines",
      parallel: "two parallels",
      same: "one line, twice",
    }[how];
    const star = {
      cross: "two lines that cross, and positive on two opposite sides",
      parallel:
        `two parallel lines, and ${along ? "negative" : "positive"} in the band ` + "between them",
      same: `one line, and ${along ? "positive" : "negative"} on both sides of it`,
    }[how];
    const counts = functions.slice(2).map((q) => rightSigns(q, points, labels));
    presets.forEach((preset, i) =>
      preset.setAttribute(
        "aria-pressed",
        String(Object.values(PRESETS)[i].every((v, j) => v === state[j])),
      ),
    );
    const where = flat ? `${number(sum[2])} everywhere` : "zero on one line";
    const unseen = away ? ", here out of view" : "";
    const score =
      ` The sign is right at ${counts[0]} of ${points.length} points for f + g, ` +
      `at ${counts[1]} for f · g.`;
    const text = `f + g is ${where}${unseen}. f · g is zero on ${star}.${points.length ? score : ""}`;
    sentence.say(text.replace(/ ([+·]) /g, "\u00a0$1\u00a0"));
    repaint();
  }

  function repaint() {
    const at = (i) => (2 * REACH * (i + 0.5)) / SIDE - REACH;
    const palette = signedPalette(element);
    panels.forEach(({ map }, i) => {
      map.paint(
        Array.from({ length: SIDE }, (_, r) =>
          Array.from({ length: SIDE }, (_, c) => value(functions[i], at(c), -at(r))),
        ),
        LIMIT,
      );
      rows[i].cells.forEach(({ style }, j) => {
        const ground = signedColour(palette, functions[i][j], LIMIT);
        style.background = `rgb(${ground.map(Math.round)})`;
        style.color = readable(ground);
      });
    });
  }

  function line(d) {
    return `<path class="dc-halo" d="${d}"/><path class="dc-line" d="${d}"/>`;
  }

  /** The line ax + by + c = 0, long enough to leave the panel. */
  function zeroLine([a, b, c]) {
    const square = a * a + b * b;
    if (square < 1e-18) return "";
    const [x, y] = [(-a * c) / square, (-b * c) / square];
    const long = (4 * REACH) / Math.sqrt(square);
    return `M${x - b * long} ${-(y + a * long)}L${x + b * long} ${-(y - a * long)}`;
  }

  /** A plus or a minus on a coarse lattice: the sign without the colour. */
  function signs(q) {
    const lattice = [-1.5, -0.5, 0.5, 1.5];
    return ["ink", "zero"]
      .map((colour, strong) => {
        // dark on pale ground, pale on dark ground
        const d = lattice
          .flatMap((x) =>
            lattice.map((y) => {
              const v = value(q, x, y);
              if (Math.abs(v) < 0.05 || Math.abs(v) > 0.7 * LIMIT !== Boolean(strong)) return "";
              return `M${x - 0.1} ${-y}h.2${v > 0 ? `M${x} ${-y - 0.1}v.2` : ""}`;
            }),
          )
          .join("");
        return `<path class="dc-signs" style="stroke:var(--dc-${colour})" d="${d}"/>`;
      })
      .join("");
  }

  function marks(q) {
    const [size, arm] = points.length > 20 ? [0.08, 0.16] : [0.13, 0.25];
    return points
      .map(([x, y], i) => {
        const strike = isRight(q, x, y, labels[i])
          ? ""
          : `M${x - arm} ${-y + arm}l${2 * arm}-${2 * arm}`;
        const circle = `<circle class="dc-class-${labels[i]}" cx="${x}" cy="${-y}" r="${size}"/>`;
        return `<path class="dc-halo" d="${strike}"/>${circle}<path class="dc-line" d="${strike}"/>`;
      })
      .join("");
  }

  element.append(
    buttons("f, g", ...presets),
    h(
      "div",
      { class: "dc-star" },
      panels[0].root,
      panels[1].root,
      ...[0, 1].map((i) =>
        h("div", { class: `dc-moves-${i}` }, controls[2 * i].root, controls[2 * i + 1].root),
      ),
      panels[2].root,
      panels[3].root,
      table,
    ),
    legend,
    sentence.root,
  );
  update();
  return repaint;
}
