// Where α comes from: sigmoid decides each αᵢ alone, softmax shares out a sum of one.
import {
  bar,
  button,
  buttons,
  expertName,
  expertStyle,
  h,
  number,
  slider,
  subscript,
  summary,
} from "./kit.js";

export function sigmoid(z) {
  return 1 / (1 + Math.exp(-z));
}

export function softmax(z, temperature = 1) {
  const most = Math.max(...z); // keeps exp finite
  const powers = z.map((value) => Math.exp((value - most) / temperature));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}

/** ∂αᵢ/∂zᵢ: how far a small step in an expert's own logit moves its α. */
export function sigmoidSlope(alpha) {
  return alpha * (1 - alpha);
}

export function softmaxSlope(alpha, temperature = 1) {
  return (alpha * (1 - alpha)) / temperature;
}

export function draw(element, data) {
  const z = [...data.logits];
  const M = z.length;
  let temperature = data.temperature;

  const logits = z.map((value, i) =>
    slider({
      label: expertLabel(i),
      min: -4,
      max: 4,
      step: 0.1,
      value,
      origin: 0,
      expert: i,
      format: (v) => signed(v),
      change: (v) => {
        z[i] = v;
        update();
      },
    }),
  );
  const tau = slider({
    // moves in powers of ten: 0.1, 1, 10
    label: "temperature τ",
    min: -1,
    max: 1,
    step: 0.02,
    value: Math.log10(temperature),
    origin: 0,
    format: (t) => number(10 ** t),
    change: (t) => {
      temperature = 10 ** t;
      update();
    },
  });
  const set = (values, t = temperature) => {
    values.forEach((value, i) => {
      z[i] = value;
      logits[i].set(value);
    });
    temperature = t;
    tau.set(Math.log10(t));
    update();
  };
  const presets = buttons(
    "z",
    button("all equal", () => set(z.map(() => 0))),
    button("one large", () => set(z.map((_, i) => (i === 0 ? 4 : 0)))),
    button("all large", () => set(z.map(() => 4))),
    button("reset", () => set(data.logits, data.temperature)),
  );
  const independent = panel("sigmoid(zᵢ)", "each α on its own");
  const shared = panel("softmax(z/τ)", "one sum, shared");
  const controls = h(
    "div",
    { class: "dc-panel", role: "group", "aria-label": "logits" },
    heading("logits z", "from the router"),
    ...logits.map(({ root }) => root),
    tau.root,
  );
  const sentence = summary();

  function expertLabel(i) {
    return h("span", { class: "dc-expert-label" }, `${expertName(i)}, z${subscript(i)}`);
  }

  function heading(title, note) {
    return h("div", { class: "dc-heading" }, h("strong", {}, title), h("span", {}, note));
  }

  /**
   * One bar per expert on its own axis from 0 to 1, then all of them end to end on an axis from 0
   * to M.
   */
  function panel(title, note) {
    const rows = z.map((_, i) => {
      const line = bar(i);
      const [value, slope] = [h("span"), h("span", { class: "dc-slope" })];
      const root = h("div", { class: "dc-row" }, value, slope, line.root);
      return {
        root,
        set: (alpha, step) => {
          line.set(0, alpha);
          value.textContent = `α${subscript(i)} = ${number(alpha)}`;
          slope.textContent = `∂α${subscript(i)}/∂z${subscript(i)} = ${number(step, 3)}`;
        },
      };
    });
    const parts = z.map((_, i) => h("span", { class: "dc-fill", style: expertStyle(i) }));
    const ticks = Array.from({ length: M - 1 }, (_, i) =>
      h("span", { class: `dc-tick${i ? "" : " dc-one"}`, style: `left:${(100 * (i + 1)) / M}%` }),
    );
    const numbers = h(
      "div",
      { class: "dc-ticks" },
      ...Array.from({ length: M + 1 }, (_, i) =>
        h("span", { style: `left:${(100 * i) / M}%` }, String(i)),
      ),
    );
    const sum = h("strong");
    const total = h(
      "div",
      { class: "dc-row dc-total" },
      sum,
      h("div", { class: "dc-track" }, ...parts, ...ticks),
      numbers,
    );
    const set = (alpha, slopes) => {
      let from = 0;
      alpha.forEach((value, i) => {
        rows[i].set(value, slopes[i]);
        parts[i].style.left = `${(100 * from) / M}%`;
        parts[i].style.width = `${(100 * value) / M}%`;
        from += value;
      });
      sum.textContent = `Σα = ${number(from)}`;
      return from;
    };
    return {
      root: h(
        "div",
        { class: "dc-panel", role: "group", "aria-label": title },
        heading(title, note),
        ...rows.map(({ root }) => root),
        total,
      ),
      set,
    };
  }

  function update() {
    const alone = z.map(sigmoid);
    const together = softmax(z, temperature);
    const sums = [
      independent.set(alone, alone.map(sigmoidSlope)),
      shared.set(
        together,
        together.map((alpha) => softmaxSlope(alpha, temperature)),
      ),
    ];
    const first = together.indexOf(Math.max(...together));
    const equal = Math.max(...together) - Math.min(...together) < 0.005;
    sentence.say(
      `Sigmoid gives a sum of ${number(sums[0])}, which can be anything from 0 to ${M}; ` +
        `softmax always gives ${number(sums[1])}, ` +
        (equal
          ? "here in equal parts."
          : `of which ${expertName(first)} takes ${number(100 * together[first], 0)}% ` +
            `at τ = ${number(temperature)}.`),
    );
  }

  element.append(
    presets,
    h("div", { class: "dc-panels" }, controls, independent.root, shared.root),
    sentence.root,
  );
  update();
}

function signed(value) {
  return (value > 0 ? "+" : "") + number(value, 1);
}
