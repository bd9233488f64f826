// Parameters are not FLOPs: what a dynamic layer costs, as ratios to the static layer.
import { bar, button, buttons, count, h, number, slider, summary } from "./kit.js";

/**
 * One convolution C_in -> C_out with a k×k kernel, static and dynamic with M experts, for one image
 * with an output of side × side. FLOPs are 2 per multiply-add and count the convolution, the mixing
 * (M·P) and the routing Linear (C_in·M), as torch's counter does.
 */
export function costs({ cIn, cOut, k, M, side }) {
  const P = cOut * cIn * k * k; // parameters of one kernel
  const positions = side * side;
  const parameters = { static: P, dynamic: M * P + M * (cIn + 1) }; // the router has a bias
  const extra = 2 * (M * P + M * cIn);
  const flops = { static: 2 * P * positions, dynamic: 2 * P * positions + extra, reported: extra };
  return {
    parameters,
    flops,
    ratios: {
      parameters: parameters.dynamic / parameters.static,
      flops: flops.dynamic / flops.static,
      reported: flops.reported / flops.static,
    },
  };
}

/**
 * Four digits near 1 and near 0, so that what the profiler reports is seen to be what the dynamic
 * layer adds.
 */
export function ratio(value) {
  return `${number(value, value < 1.1 ? 4 : 2)}×`;
}

/** 294912 -> "295 k" */
export function big(value) {
  const [unit, name] =
    value >= 1e9 ? [1e9, " G"] : value >= 1e6 ? [1e6, " M"] : value >= 1e4 ? [1e3, " k"] : [1, ""];
  return unit === 1 ? count(value) : number(value / unit, value / unit < 100 ? 2 : 0) + name;
}

const AXIS = 10.2; // above the largest ratio that the sliders reach; the axis does not move

export function draw(element, data) {
  const layer = { cIn: data.cIn, cOut: data.cOut, k: data.k, M: data.M, side: data.side };
  // the slider moves in powers of two
  const channels = { min: 3, max: 9, step: 1, format: (v) => count(2 ** v) };
  const square = (v) => `${v}×${v}`;
  const controls = {
    cIn: control("cIn", ["C", h("sub", {}, "in"), " channels"], channels, (v) => 2 ** v, Math.log2),
    cOut: control(
      "cOut",
      ["C", h("sub", {}, "out"), " channels"],
      channels,
      (v) => 2 ** v,
      Math.log2,
    ),
    k: control("k", ["kernel k"], { min: 1, max: 7, step: 2, format: square }),
    M: control("M", ["experts M"], { min: 1, max: 8, step: 1, format: String }),
    side: control("side", ["output H′×W′"], { min: 1, max: 160, step: 1, format: square }),
  };

  function control(key, label, range, toValue = Number, toPosition = Number) {
    const change = (v) => {
      layer[key] = toValue(v);
      update();
    };
    const line = slider({
      label: h("span", {}, ...label),
      ...range,
      value: toPosition(layer[key]),
      change,
    });
    const set = (value) => {
      layer[key] = value;
      line.set(toPosition(value));
    };
    return { root: line.root, set };
  }

  const presets = buttons(
    "YOLOv10n",
    ...data.presets.map(({ name, values }) =>
      button(name, () => {
        ["cIn", "cOut", "k", "side"].forEach((key, i) => controls[key].set(values[i]));
        update();
      }),
    ),
  );

  const rows = {
    parameters: row("parameters", "stored"),
    flops: row("FLOPs", "executed"),
    reported: row("FLOPs, printed", "by ultralytics"),
  };

  /**
   * Grey is the static layer, ink what the dynamic one adds; the bar of what ultralytics prints has
   * no grey part.
   */
  function row(name, note) {
    const line = bar();
    const added = h("span", { class: "dc-fill", style: "--c:var(--dc-ink)" });
    line.root.append(added, h("span", { class: "dc-baseline", style: `left:${100 / AXIS}%` }));
    const [value, detail] = [h("span", { class: "dc-ratio" }), h("span", { class: "dc-detail" })];
    const root = h(
      "div",
      { class: "dc-cost" },
      h("div", {}, h("strong", {}, name), h("span", { class: "dc-note" }, note)),
      value,
      line.root,
      detail,
    );
    const set = (base, total, text) => {
      line.set(0, base / AXIS);
      added.style.left = `${(100 * base) / AXIS}%`;
      added.style.width = `${(100 * (total - base)) / AXIS}%`;
      value.textContent = ratio(total);
      detail.textContent = text;
    };
    return { root, set };
  }

  const marks = [0, 1, 2, 4, 6, 8, 10].map((i) =>
    h("span", { style: `left:${(100 * i) / AXIS}%` }, String(i)),
  );
  const axis = h("div", { class: "dc-ticks" }, ...marks);
  const key = (colour) => h("span", { class: "dc-key", style: `background:var(--dc-${colour})` });
  const legend = h(
    "p",
    { class: "dc-legend" },
    h("span", {}, key("baseline"), "the static layer = 1×"),
    h("span", {}, key("ink"), "what the dynamic layer adds"),
  );
  const sentence = summary();

  function update() {
    const { parameters, flops, ratios } = costs(layer);
    rows.parameters.set(
      1,
      ratios.parameters,
      `${big(parameters.static)} → ${big(parameters.dynamic)}`,
    );
    rows.flops.set(1, ratios.flops, `${big(flops.static)} → ${big(flops.dynamic)}`);
    rows.reported.set(
      0,
      ratios.reported,
      `${big(flops.static)} → ${big(flops.reported)}, mixing and routing only`,
    );
    const experts = `${layer.M} expert${layer.M === 1 ? "" : "s"}`;
    sentence.say(
      `With ${experts} on ${layer.side}×${layer.side} outputs the layer stores ` +
        `${ratio(ratios.parameters)} the parameters of the static one and executes ` +
        `${ratio(ratios.flops)} its FLOPs; ultralytics prints ${ratio(ratios.reported)}.`,
    );
  }

  element.append(
    ...(data.presets.length ? [presets] : []),
    h("div", { class: "dc-controls" }, ...Object.values(controls).map(({ root }) => root)),
    h("div", { class: "dc-costs" }, legend, ...Object.values(rows).map(({ root }) => root), axis),
    sentence.root,
  );
  update();
}
