// One kernel per image: X ∗ (Σ αᵢ Wᵢ) = Σ αᵢ (X ∗ Wᵢ), to touch.
import {
  bar,
  button,
  buttons,
  count,
  expertName,
  h,
  heatmap,
  largest,
  mix,
  number,
  pixels,
  slider,
  subscript,
  summary,
  svg,
} from "./kit.js";

/**
 * The operator that deep learning calls convolution (the kernel is not flipped), zero padding,
 * output as large as the input.
 */
export function convolve(x, kernel) {
  const [height, width, rows, columns] = [x.length, x[0].length, kernel.length, kernel[0].length];
  // As torch's padding="same": an even kernel has its extra zero on the right and below.
  const [top, left] = [Math.floor((rows - 1) / 2), Math.floor((columns - 1) / 2)];
  return x.map((line, r) =>
    line.map((_, c) => {
      let sum = 0;
      for (let i = Math.max(0, top - r); i < Math.min(rows, height - r + top); i++)
        for (let j = Math.max(0, left - c); j < Math.min(columns, width - c + left); j++)
          sum += kernel[i][j] * x[r + i - top][c + j - left];
      return sum;
    }),
  );
}

/** Multiplications of the two orders, the mixing included. */
export function multiplications(experts, height, width) {
  const [M, size, area] = [
    experts.length,
    experts[0].length * experts[0][0].length,
    height * width,
  ];
  return { convolveThenMix: M * area * size + M * area, mixThenConvolve: area * size + M * size };
}

export function draw(element, data) {
  const { images, experts } = data;
  const M = experts.length;
  const alpha = [...data.alpha];
  const [rows, columns] = [experts[0].length, experts[0][0].length];
  const kernelLimit = Math.max(...experts.map(largest)) || 1;
  // The colours of Y keep one meaning while α moves: full strength is the strongest answer of any
  // single expert.
  const answerLimit =
    Math.max(...images.flatMap(({ pixels }) => experts.map((w) => largest(convolve(pixels, w))))) ||
    1;
  let x = images[0].pixels;
  let y, kernel;

  const X = pixels("X, the input image");
  const Y = pixels("Y, the output");
  const mixed = heatmap(rows, columns, "the mixed kernel");
  const sliders = experts.map((_, i) =>
    slider({
      label: `α${subscript(i)}`,
      min: 0,
      max: 1,
      step: 0.01,
      value: alpha[i],
      expert: i,
      change: (value) => {
        alpha[i] = value;
        update();
      },
    }),
  );
  const kernels = experts.map((_, i) => heatmap(rows, columns, `kernel of ${expertName(i)}`));
  const cards = experts.map((_, i) => {
    const name = h(
      "div",
      { class: "dc-expert", style: `--c:var(--dc-expert-${i + 1})` },
      expertName(i),
    );
    return h("div", { class: "dc-card" }, name, kernels[i].root, sliders[i].root);
  });
  const flows = svg({ class: "dc-flows", "aria-hidden": "true" });
  const experiment = h("div", { class: "dc-cards", style: `--count:${M}` }, ...cards);

  const setAlpha = (values) => {
    values.forEach((value, i) => {
      alpha[i] = value;
      sliders[i].set(value);
    });
    update();
  };
  const presets = buttons(
    "α",
    button("equal", () => setAlpha(alpha.map(() => Math.round(100 / M) / 100))),
    ...experts.map((_, i) =>
      button(`only ${i + 1}`, () => setAlpha(alpha.map((_, j) => Number(i === j)))),
    ),
    button("random", () => setAlpha(alpha.map(() => Math.round(100 * Math.random()) / 100))),
  );
  const choices = images.map(({ name }, i) =>
    button(name, () => choose(i), { "aria-pressed": String(i === 0) }),
  );
  function choose(i) {
    x = images[i].pixels;
    choices.forEach((choice, j) => choice.setAttribute("aria-pressed", String(i === j)));
    update();
  }

  // Point at a pixel of X or Y: which part of X does this pixel of Y come from?
  const frames = [h("span", { class: "dc-frame" }), h("span", { class: "dc-frame" })];
  const pointed = h("p", { class: "dc-pointed" });
  const hint = "Point at X or Y to see which part of X one pixel of Y is made from.";
  pointed.textContent = hint;
  function point(event) {
    const box = event.currentTarget.getBoundingClientRect();
    const [height, width] = [x.length, x[0].length];
    const at = (offset, size, n) => Math.min(Math.max(Math.floor((offset / size) * n), 0), n - 1);
    const [r, c] = [
      at(event.clientY - box.top, box.height, height),
      at(event.clientX - box.left, box.width, width),
    ];
    const part = (value, whole) => `${(100 * value) / whole}%`;
    const place = (frame, top, left, h, w) => {
      const [y, x] = [
        `top:${part(top, height)};height:${part(h, height)}`,
        `left:${part(left, width)};width:${part(w, width)}`,
      ];
      frame.style.cssText = `display:block;${y};${x}`;
    };
    place(
      frames[0],
      r - Math.floor((rows - 1) / 2),
      c - Math.floor((columns - 1) / 2),
      rows,
      columns,
    );
    place(frames[1], r, c, 1, 1);
    pointed.textContent =
      `Row ${r + 1}, column ${c + 1}: the framed ${rows}×${columns} patch of X, ` +
      `times the mixed kernel, adds up to ${number(y[r][c])}.`;
  }
  function leave(event) {
    if (event.pointerType !== "mouse") return; // a finger that lifts has not left
    for (const frame of frames) frame.style.cssText = "";
    pointed.textContent = hint;
  }
  const picture = (canvas, frame) =>
    h(
      "div",
      { class: "dc-picture", pointermove: point, pointerdown: point, pointerleave: leave },
      canvas,
      frame,
    );
  const part = (name, node) =>
    h("div", { class: "dc-part" }, node, h("span", { class: "dc-label" }, name));
  const equation = h(
    "div",
    { class: "dc-equation" },
    part("X", picture(X.canvas, frames[0])),
    h("span", { class: "dc-sign" }, "∗"),
    part("Σ αᵢWᵢ", mixed.root),
    h("span", { class: "dc-sign" }, "="),
    part("Y", picture(Y.canvas, frames[1])),
  );

  const costs = multiplications(experts, x.length, x[0].length);
  const way = (name, formula, cost) => {
    const line = bar();
    line.set(0, cost / costs.convolveThenMix);
    return h(
      "div",
      { class: "dc-way" },
      h("span", {}, `${name}  `, h("span", { class: "dc-formula" }, formula)),
      line.root,
      h("span", { class: "dc-number" }, count(cost)),
    );
  };
  const many = `${M} convolution${M === 1 ? "" : "s"}, then mix`;
  const difference = h("span", { class: "dc-number" }); // no output: that is read out at each step
  const identity = h(
    "div",
    { class: "dc-ways" },
    h(
      "div",
      { class: "dc-way" },
      h("strong", {}, "Two ways to the same Y"),
      h("span", { class: "dc-number" }, "multiplications"),
    ),
    way(many, "Σ αᵢ (X ∗ Wᵢ)", costs.convolveThenMix),
    way("mix, then one convolution", "X ∗ (Σ αᵢWᵢ)", costs.mixThenConvolve),
    h("div", { class: "dc-way" }, h("span", {}, "Largest difference between the two"), difference),
  );
  const sentence = summary();

  function update() {
    kernel = mix(experts, alpha);
    y = convolve(x, kernel);
    const other = mix(
      experts.map((expert) => convolve(x, expert)),
      alpha,
    ); // Σ αᵢ (X ∗ Wᵢ)
    const gap = largest(y.map((line, r) => line.map((value, c) => value - other[r][c])));
    difference.textContent = gap === 0 ? "0" : gap.toExponential(1).replace("-", "−");
    const order = alpha
      .map((_, i) => i)
      .filter((i) => alpha[i] > 0)
      .sort((a, b) => alpha[b] - alpha[a]);
    const leading = order.filter((i) => alpha[i] === alpha[order[0]]);
    const most =
      leading.length === 1
        ? `most from ${expertName(leading[0])}`
        : `${leading.length} of them alike`;
    sentence.say(
      order.length === 0
        ? "All α are 0: the mixed kernel is empty, and so is Y."
        : `Mixed from ${order.length} of ${M} experts, ${most}; ` +
            `Y runs from ${number(Math.min(...y.flat()))} to ${number(Math.max(...y.flat()))}, ` +
            `full colour is ±${number(answerLimit)}.`,
    );
    repaint();
  }

  function repaint() {
    X.paint(x);
    Y.paint(y, answerLimit);
    experts.forEach((expert, i) => kernels[i].set(expert, kernelLimit));
    mixed.set(kernel, kernelLimit);
    drawFlows();
  }

  // Each expert flows into the mixed kernel as a curve as wide as its α, if all cards stand in one
  // row.
  function drawFlows() {
    const oneRow = cards.every((card) => card.offsetTop === cards[0].offsetTop);
    flows.style.display = oneRow ? "" : "none";
    const strip = flows.getBoundingClientRect();
    const target = mixed.root.getBoundingClientRect();
    const [width, height] = [strip.width, target.top - strip.top - 4];
    flows.innerHTML = cards
      .map((card, i) => {
        const box = card.getBoundingClientRect();
        const from = box.left + box.width / 2 - strip.left;
        const to = width / 2 + (i - (M - 1) / 2) * Math.min(24, 120 / M);
        const colour = `stroke:var(--dc-expert-${i + 1})`;
        const path = `M${from} 0C${from} ${0.55 * height} ${to} ${0.45 * height} ${to} ${height}`;
        return (
          `<path d="${path}" style="stroke:var(--dc-faint);stroke-width:1"/>` +
          `<path d="${path}" style="${colour};stroke-width:${14 * alpha[i]}"/>`
        );
      })
      .join("");
  }
  new ResizeObserver(drawFlows).observe(experiment);

  element.append(
    ...(images.length > 1 ? [buttons("X", ...choices)] : []),
    presets,
    experiment,
    flows,
    equation,
    pointed,
    identity,
    sentence.root,
  );
  update();
  return repaint;
}
