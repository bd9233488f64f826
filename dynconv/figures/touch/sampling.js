// A deformable convolution: one kernel for all pixels and images, but each pixel of Y chooses where
// it reads X.
import {
  button,
  buttons,
  h,
  heatmap,
  largest,
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
 * Where an ordinary convolution reads. Shifts in pixels, turn in degrees clockwise, light in pixels
 * at most.
 */
export const GRID = { right: 0, down: 0, widen: 1, turn: 0, light: 0 };

/** X between its pixels: the four around the place, weighted by nearness; zero outside. */
export function bilinear(x, row, column) {
  const [r, c] = [Math.floor(row), Math.floor(column)];
  const [below, beside] = [row - r, column - c];
  return (
    (1 - below) * (1 - beside) * pixel(x, r, c) +
    (1 - below) * beside * pixel(x, r, c + 1) +
    below * (1 - beside) * pixel(x, r + 1, c) +
    below * beside * pixel(x, r + 1, c + 1)
  );
}

function pixel(x, r, c) {
  return r < 0 || c < 0 || r >= x.length || c >= x[0].length ? 0 : x[r][c];
}

const slopes = new WeakMap();

/**
 * Which way X gets lighter, as two maps [down, right]: the gradient g of X after two 5×5 means
 * (edge pixels repeated), times 1 / (|g| + mean |g|), so that every step is shorter than one pixel.
 */
export function uphill(x) {
  if (slopes.has(x)) return slopes.get(x);
  const map = (f) => x.map((line, r) => line.map((_, c) => f(r, c)));
  const clamp = (i, n) => Math.min(Math.max(i, 0), n - 1);
  const at = (m, r, c) => m[clamp(r, m.length)][clamp(c, m[0].length)];
  const taps = grid(5);
  const blur = (m) =>
    map((r, c) => taps.reduce((sum, [i, j]) => sum + at(m, r + i, c + j), 0) / taps.length);
  const smooth = blur(blur(x));
  const [down, right] = [
    map((r, c) => at(smooth, r + 1, c) - at(smooth, r - 1, c)),
    map((r, c) => at(smooth, r, c + 1) - at(smooth, r, c - 1)),
  ];
  const length = map((r, c) => Math.hypot(down[r][c], right[r][c]));
  const mean = length.flat().reduce((a, b) => a + b) / length.flat().length || 1;
  const result = [down, right].map((m) => map((r, c) => m[r][c] / (length[r][c] + mean)));
  slopes.set(x, result);
  return result;
}

/** The k·k places of a kernel as (down, right) of its centre, row by row. */
export function grid(k) {
  return Array.from({ length: k * k }, (_, i) => [
    Math.floor(i / k) - (k - 1) / 2,
    (i % k) - (k - 1) / 2,
  ]);
}

/**
 * places(row, column): where one pixel of Y reads X, k·k pairs (row, column). Its grid is turned,
 * widened and shifted, which is the same at each pixel; then each place goes `light` steps uphill
 * from where it is, which is not. A real layer has a second convolution for that.
 */
function reader({ right, down, widen, turn, light }, x, k) {
  const [cos, sin] = [Math.cos((turn * Math.PI) / 180), Math.sin((turn * Math.PI) / 180)];
  const moved = grid(k).map(([i, j]) => [
    down + widen * (cos * i + sin * j),
    right + widen * (cos * j - sin * i),
  ]);
  const field = light === 0 ? null : uphill(x);
  return (row, column) =>
    moved.map((by) => {
      // runs for each place of each pixel; to unpack the pairs would take twice the time
      const r = row + by[0],
        c = column + by[1];
      return field
        ? [r + light * bilinear(field[0], r, c), c + light * bilinear(field[1], r, c)]
        : [r, c];
    });
}

/**
 * The offsets of one pixel of Y: how far each place lies from its grid place, k·k pairs (down,
 * right), row by row.
 */
export function offsets(settings, x, row, column, k) {
  const homes = grid(k);
  return reader(
    settings,
    x,
    k,
  )(row, column).map(([r, c], n) => [r - row - homes[n][0], c - column - homes[n][1]]);
}

/** Y of a deformable convolution, as large as X. */
export function deform(x, kernel, settings) {
  const [weights, places] = [kernel.flat(), reader(settings, x, kernel.length)];
  return x.map((line, r) =>
    line.map((_, c) =>
      places(r, c).reduce((sum, at, n) => sum + weights[n] * bilinear(x, at[0], at[1]), 0),
    ),
  );
}

const PRESETS = Object.entries({
  convolution: {},
  shift: { right: 3, down: 2 },
  "dilation 2": { widen: 2 },
  turned: { turn: 45 },
  "towards light": { light: 3 },
}).map(([name, changes]) => ({ name, target: { ...GRID, ...changes } }));

export function draw(element, data) {
  const { image: x, kernel } = data;
  const [height, width, k] = [x.length, x[0].length, kernel.length];
  const side = 7 + 2 * k; // of the close-up, in pixels of X
  const weights = kernel.flat();
  const heaviest = largest(weights) || 1;
  // large dots first, or they hide the small ones
  const order = [...weights.keys()].sort((a, b) => Math.abs(weights[b]) - Math.abs(weights[a]));
  const ordinary = deform(x, kernel, GRID);
  // the colours of Y keep one meaning: full strength is the strongest ordinary answer
  const limit = largest(ordinary) || 1;
  const settings = { ...GRID };
  const spot = { row: data.at[0], column: data.at[1] };
  let y;

  const control = (key, label, min, max, step, origin, format) =>
    slider({
      label,
      min,
      max,
      step,
      value: settings[key],
      origin,
      format,
      change: (v) => {
        settings[key] = v;
        update();
      },
    });
  const controls = {
    right: control("right", "shift right", -4, 4, 0.25, 0),
    down: control("down", "shift down", -4, 4, 0.25, 0),
    widen: control("widen", "widen", 0, 3, 0.05, 1),
    turn: control("turn", "turn", -180, 180, 5, 0, (v) => `${number(v, 0)}°`),
    light: control("light", "towards light", 0, 4, 0.1, 0),
  };
  const position = (key, size) =>
    slider({
      label: key,
      min: 1,
      max: size,
      step: 1,
      value: spot[key] + 1,
      format: String,
      change: (v) => {
        spot[key] = v - 1;
        mark();
      },
    });
  const spots = { row: position("row", height), column: position("column", width) };
  const presets = PRESETS.map(({ name, target }) =>
    button(name, () => {
      Object.assign(settings, target);
      for (const key in GRID) controls[key].set(settings[key]);
      update();
    }),
  );

  const [X, Y] = [pixels("X, the input image"), pixels("Y, the output")];
  const [overX, overY] = [X, Y].map(() =>
    svg({ class: "dc-over", "aria-hidden": "true", viewBox: `0 0 ${width} ${height}` }),
  );
  const close = svg({
    class: "dc-close",
    role: "img",
    "aria-label": "close-up of X with the places that this pixel of Y reads",
  });
  const read = grid(k).map(() => h("span"));
  const values = h("div", { class: "dc-read", role: "img", style: `--columns:${k}` }, ...read);
  const weightsMap = heatmap(k, k, "the kernel");
  const [here, plain, furthest] = [0, 1, 2].map(() => h("span", { class: "dc-number" }));
  const sentence = summary();

  function choose(event) {
    const box = event.currentTarget.getBoundingClientRect();
    // a slider keeps to its range
    spots.row.set(Math.ceil((height * (event.clientY - box.top)) / box.height));
    spots.column.set(Math.ceil((width * (event.clientX - box.left)) / box.width));
    for (const key in spots) spot[key] = Number(spots[key].input.value) - 1;
    mark();
  }
  const picture = (...parts) =>
    h(
      "div",
      {
        class: "dc-picture",
        pointerdown: choose,
        pointermove: (event) => event.buttons && choose(event),
      },
      ...parts,
    );

  function update() {
    y = deform(x, kernel, settings);
    PRESETS.forEach(({ target }, i) =>
      presets[i].setAttribute(
        "aria-pressed",
        String(Object.keys(GRID).every((key) => settings[key] === target[key])),
      ),
    );
    Y.paint(y, limit);
    mark();
  }

  function repaint() {
    Y.paint(y, limit);
    weightsMap.set(kernel, heaviest);
    mark();
  }

  /** All that belongs to the one pixel. */
  function mark() {
    const { row, column } = spot;
    const moved = offsets(settings, x, row, column, k);
    const homes = grid(k).map(([i, j]) => [column + j + 0.5, row + i + 0.5]);
    const places = homes.map(([across, along], n) => [across + moved[n][1], along + moved[n][0]]);
    drawPlaces(homes, places);
    showValues(places);
    describe(Math.max(...moved.map(([down, right]) => Math.hypot(down, right))));
  }

  /**
   * The grid places, where they went, and a dot per weight: its size is |weight|, its sign stands
   * in it.
   */
  function drawPlaces(homes, places) {
    const { row, column } = spot;
    const [left, top] = [column + 0.5 - side / 2, row + 0.5 - side / 2];
    const line = (d) => `<path class="dc-halo" d="${d}"/><path class="dc-line" d="${d}"/>`;
    const square = (x, y, size) => line(`M${x} ${y}h${size}v${size}h-${size}z`);
    const point = ([x, y], r) => `<circle class="dc-home" cx="${x}" cy="${y}" r="${r}"/>`;
    const ways = homes.map((home, n) => `M${home}L${places[n]}`).join("");
    close.setAttribute("viewBox", `${left} ${top} ${side} ${side}`);
    close.lastChild.innerHTML = [
      square(column, row, 1),
      line(ways),
      ...homes.map((home) => point(home, 0.08)),
      ...order.map((n) => dot(weights[n], places[n])),
    ].join("");
    overX.innerHTML = square(left, top, side) + places.map((place) => point(place, 0.35)).join("");
    overY.innerHTML = square(column - 0.5, row - 0.5, 2);
  }

  function dot(weight, place) {
    const size = Math.sqrt(Math.abs(weight) / heaviest);
    const [r, arm] = [0.16 + 0.26 * size, 0.06 + 0.16 * size];
    const sign = weight === 0 ? "" : `M-${arm} 0H${arm}${weight > 0 ? `M0-${arm}V${arm}` : ""}`;
    const ground = signedColour(signedPalette(element), weight, heaviest);
    const circle = `<circle r="${r}" style="fill:rgb(${ground})"/><path d="${sign}"/>`;
    return `<g transform="translate(${place})" style="stroke:${readable(ground)}">${circle}</g>`;
  }

  function showValues(places) {
    const samples = places.map(([across, along], n) => {
      const value = bilinear(x, along - 0.5, across - 0.5);
      const grey = Array(3).fill(255 * Math.min(Math.max(value, 0), 1));
      read[n].style.background = `rgb(${grey.map(Math.round)})`;
      read[n].style.color = readable(grey);
      read[n].textContent = k > 3 ? "" : number(value);
      return number(value);
    });
    values.setAttribute("aria-label", `values read, row by row: ${samples.join(" ")}`);
  }

  /** The numbers and the sentence. `far`: how far the furthest place lies from its grid place. */
  function describe(far) {
    const { row, column } = spot;
    here.textContent = number(y[row][column]);
    plain.textContent = number(ordinary[row][column]);
    furthest.textContent = `${number(far, 1)} px`;
    const many = k === 3 ? "nine" : k * k;
    const who = `Pixel row ${row + 1}, column ${column + 1}: its ${many} places lie`;
    if (far < 1e-9) {
      sentence.say(
        `${who} on the grid, so Y is what an ordinary convolution gives, ${plain.textContent}.`,
      );
      return;
    }
    const same =
      settings.light === 0
        ? "The offsets are the same at every pixel."
        : "The offsets depend on the image and differ from pixel to pixel.";
    const ordinaryOne = `an ordinary convolution gives ${plain.textContent}.`;
    sentence.say(
      `${who} up to ${furthest.textContent} off the grid. ` +
        `Y is ${here.textContent} here; ${ordinaryOne} ${same}`,
    );
  }

  const label = (text) => h("span", { class: "dc-label" }, text);
  const part = (name, ...nodes) => h("div", { class: `dc-at-${name}` }, ...nodes);
  const row = (text, value) => h("div", { class: "dc-total-row" }, h("span", {}, text), value);
  element.append(
    buttons("offsets", ...presets),
    h(
      "div",
      { class: "dc-offsets" },
      ...Object.values(controls).map(({ root }) => root),
      h("p", { class: "dc-detail" }, "Follows the image, pixel by pixel; a real layer learns it."),
    ),
    h(
      "div",
      { class: "dc-sampling" },
      h(
        "div",
        {},
        part("x", picture(X.canvas, overX), label("X")),
        part("spot", spots.row.root, spots.column.root),
      ),
      h(
        "div",
        {},
        part("close", close, label("close-up of X")),
        part(
          "kernel",
          h("div", {}, values, label("values read")),
          h("div", {}, weightsMap.root, label("kernel")),
        ),
      ),
      h(
        "div",
        {},
        part("y", picture(Y.canvas, overY), label(`Y, full colour ±${number(limit)}`)),
        part(
          "numbers",
          row("Y here", here),
          row("ordinary convolution", plain),
          row("furthest off the grid", furthest),
        ),
      ),
    ),
    h(
      "p",
      { class: "dc-pointed" },
      "Click or tap X or Y to choose the pixel. " +
        "The kernel is the same at every pixel and for every image; only the places move.",
    ),
    sentence.root,
  );
  X.paint(x);
  const size = `width="${width}" height="${height}"`;
  close.innerHTML = `<image href="${X.canvas.toDataURL()}" ${size}/><rect class="dc-edge" ${size}/><g></g>`;
  update();
  return repaint;
}
