// Experts and a router learn from two kinds of pictures: gradient descent, before the reader's
// eyes.
import {
  bar,
  button,
  buttons,
  count,
  expertName,
  expertStyle,
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

const SIDE = 3; // of a kernel, which is nine numbers here, row by row

const sum = (values) => values.reduce((total, value) => total + value, 0);
const dot = (a, b) => a.reduce((total, value, i) => total + value * b[i], 0);
const range = (n) => Array.from({ length: n }, (_, i) => i);
const brightness = (picture) => sum(picture.flat()) / picture.flat().length;
const fold = (values, width) =>
  range(values.length / width).map((r) => values.slice(r * width, (r + 1) * width));

/** What lies under the kernel at each of its places, without padding. */
function patches(picture) {
  return range(picture.length - SIDE + 1).flatMap((r) =>
    range(picture[0].length - SIDE + 1).map((c) =>
      picture.slice(r, r + SIDE).flatMap((row) => row.slice(c, c + SIDE)),
    ),
  );
}

export function convolve(picture, kernel) {
  const values = patches(picture).map((patch) => dot(patch, kernel));
  return fold(values, picture[0].length - SIDE + 1);
}

/** What there is to learn: the pictures of each of the two kinds, and the kernel that it wants. */
export function tasks(kinds, how) {
  const all = kinds.flatMap(({ pictures }) => pictures);
  return kinds.map(({ pictures, kernel }) => ({
    pictures: how === "look alike" ? all : pictures,
    kernel: how === "want the same" ? kinds[0].kernel : kernel,
  }));
}

/**
 * All that the loss has to know of the pictures. The mean of (kernel · patch − wanted)² over the
 * patches of a picture is kernel · gram · kernel − 2 kernel · cross + square, so that a step costs
 * the same however large the pictures are.
 */
export function summarise(kinds) {
  const allWanted = [];
  const pictures = kinds.flatMap(({ pictures, kernel }) =>
    pictures.map((picture) => {
      const under = patches(picture);
      const wanted = under.map((patch) => dot(patch, kernel));
      const columns = kernel.map((_, i) => under.map((patch) => patch[i]));
      allWanted.push(...wanted);
      return {
        pooled: brightness(picture),
        gram: columns.map((a) => columns.map((b) => dot(a, b) / under.length)),
        cross: columns.map((a) => dot(a, wanted) / under.length),
        square: dot(wanted, wanted) / under.length,
      };
    }),
  );
  const mean = sum(allWanted) / allWanted.length;
  const variance = sum(allWanted.map((value) => (value - mean) ** 2)) / allWanted.length;
  return { pictures, variance };
}

/** α of a picture: project and squash its brightness. Without a router it is 1/M for all. */
export function route({ router, weight, bias }, pooled) {
  const logits = weight.map((w, i) => w * pooled + bias[i]);
  if (router === "none") return logits.map(() => 1 / logits.length);
  if (router === "sigmoid") return logits.map((z) => 1 / (1 + Math.exp(-z)));
  const powers = logits.map((z) => Math.exp(z - Math.max(...logits)));
  return powers.map((power) => power / sum(powers));
}

export function mixed(experts, alpha) {
  return mix(
    experts.map((expert) => [expert]),
    alpha,
  )[0];
}

/** The loss, mean squared error / variance, and its gradient, by the chain rule. */
export function gradient(model, { pictures, variance }) {
  const { router, experts } = model;
  const zeros = () => experts.map(() => 0);
  const slope = {
    experts: experts.map((expert) => expert.map(() => 0)),
    weight: zeros(),
    bias: zeros(),
  };
  const share = 1 / (pictures.length * variance);
  let loss = 0;
  for (const { pooled, gram, cross, square } of pictures) {
    const alpha = route(model, pooled);
    const kernel = mixed(experts, alpha);
    const product = gram.map((row) => dot(row, kernel));
    loss += share * (dot(kernel, product) - 2 * dot(kernel, cross) + square);
    const toKernel = product.map((value, j) => 2 * share * (value - cross[j]));
    const toAlpha = experts.map((expert) => dot(expert, toKernel));
    const common = router === "softmax" ? dot(alpha, toAlpha) : null;
    alpha.forEach((a, i) => {
      toKernel.forEach((value, j) => (slope.experts[i][j] += a * value));
      if (router === "none") return;
      const toLogit = a * (router === "softmax" ? toAlpha[i] - common : (1 - a) * toAlpha[i]);
      slope.weight[i] += toLogit * pooled;
      slope.bias[i] += toLogit;
    });
  }
  return { loss, ...slope };
}

/** Some steps of gradient descent: the model after them, and the loss before each. */
export function descend(model, data, rate, steps) {
  const losses = [];
  for (let n = 0; n < steps; n++) {
    const { loss, experts, weight, bias } = gradient(model, data);
    const less = (values, slope) => values.map((value, i) => value - rate * slope[i]);
    losses.push(loss);
    model = {
      ...model,
      experts: model.experts.map((expert, i) => less(expert, experts[i])),
      weight: less(model.weight, weight),
      bias: less(model.bias, bias),
    };
  }
  return { model, losses };
}

/** The kernel that, alone for all pictures, has the least loss: mean gram · kernel = mean cross. */
export function bestStatic({ pictures }) {
  const rows = range(SIDE * SIDE).map((i) => [
    ...range(SIDE * SIDE).map((j) => sum(pictures.map(({ gram }) => gram[i][j]))),
    sum(pictures.map(({ cross }) => cross[i])),
  ]);
  const free = (pivot) => Math.abs(pivot) < 1e-10; // any number does, 0 as well
  rows.forEach((row, p) => {
    if (free(row[p])) return;
    for (const other of rows.filter((r) => r !== row)) {
      const factor = other[p] / row[p];
      row.forEach((value, j) => (other[j] -= factor * value));
    }
  });
  return rows.map((row, p) => (free(row[p]) ? 0 : row.at(-1) / row[p]));
}

/** The start of a seed; as wide as torch's Conv2d(1, 1, 3) and Linear(1, M) start. */
export function start(seed, M, router) {
  let state = seed;
  const draw = (bound) => {
    // mulberry32, a small generator of random numbers
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return bound * (2 * (((t ^ (t >>> 14)) >>> 0) / 2 ** 32) - 1);
  };
  const experts = range(M).map(() => range(SIDE * SIDE).map(() => draw(1 / SIDE)));
  return {
    router,
    experts,
    weight: range(M).map(() => draw(1)),
    bias: range(M).map(() => draw(1)),
  };
}

const PER_SECOND = 600; // steps
const TOP = 1.5; // of the curve
const CHOICES = {
  experts: [1, 2, 4],
  router: ["softmax", "sigmoid", "none"],
  kinds: ["differ", "want the same", "look alike"],
};

export function draw(element, { kinds, seed, rate }) {
  const chosen = { experts: 2, router: "softmax", kinds: "differ" };
  const names = kinds.map(({ name }) => name);
  const full = 2 * largest(kinds.map(({ kernel }) => kernel)); // colour of a kernel
  // of this run: what it learns, how far it is, the error of the best single kernel
  let model, data, error, floor;
  let examples, strongest, kernels, bars; // what is shown of it
  let [losses, before] = [[], []]; // of this run and of the one before it
  let [frame, last] = [null, 0]; // while it learns: the next frame, the time of the last
  let said = "";

  const choices = Object.entries(CHOICES).map(([what, values]) => {
    const choose = (value) => {
      chosen[what] = value;
      restart();
    };
    const items = values.map((value) => button(String(value), () => choose(value)));
    const mark = () =>
      items.forEach((item, i) =>
        item.setAttribute("aria-pressed", String(values[i] === chosen[what])),
      );
    return { root: buttons(what, ...items), mark };
  });
  const play = button("learn", () => (frame === null ? run() : pause()), {
    class: "dc-button dc-play",
  });
  const step = button("one step", () => {
    pause();
    learn(1);
  });
  const reset = button("reset", () => {
    pause();
    seed += 1;
    restart();
  });
  const status = h("span", { class: "dc-status" });
  const rule = h("p", { class: "dc-detail" });
  const speed = slider({
    label: "learning rate",
    min: -3,
    max: -1.3,
    step: 0.1,
    value: Math.log10(rate),
    format: (v) => (10 ** v).toPrecision(2),
    change: (v) => {
      rate = 10 ** v;
      show();
    },
  });

  const height = (v) => 100 - (100 * Math.min(v, TOP)) / TOP; // in percent, from above
  const lines = svg({ class: "dc-over", viewBox: "0 0 100 100", preserveAspectRatio: "none" });
  const best = h("span", { class: "dc-best" });
  const curve = h(
    "div",
    { class: "dc-picture dc-curve", role: "img", "aria-label": "error against steps" },
    lines,
    h("span", { class: "dc-best dc-axis" }, "error / variance"),
    best,
  );
  const ticks = [0, 50, 100].map((at) => h("span", { style: `left:${at}%` }));
  const cards = h("div", { class: "dc-pair" });
  const rows = names.map((_, i) => ({
    heading: h("p"),
    X: pixels(`X of kind ${i + 1}`),
    alpha: h("div"),
    kernel: heatmap(SIDE, SIDE, `mixed kernel of kind ${i + 1}`),
    Y: pixels(`Y of kind ${i + 1}`),
    wanted: pixels(`Y that kind ${i + 1} wants`),
  }));
  const note = h("p", { class: "dc-detail" });
  const sentence = summary();

  /** Begin anew from the seed; the curve of the run before stays as a thin line. */
  function restart() {
    if (losses.length > 1) before = losses;
    losses = [];
    const task = tasks(kinds, chosen.kinds);
    data = summarise(task);
    model = start(seed, chosen.experts, chosen.router);
    error = gradient(model, data).loss;
    const alone = { router: "none", experts: [bestStatic(data)], weight: [0], bias: [0] };
    floor = gradient(alone, data).loss;
    examples = task.map(({ pictures: [x], kernel }) => ({ x, wanted: convolve(x, kernel) }));
    strongest = Math.max(...examples.map(({ wanted }) => largest(wanted)));

    const each = range(chosen.experts);
    const name = (text, i) =>
      h("span", { class: "dc-expert-label", style: expertStyle(i) }, text + subscript(i));
    kernels = each.map((i) => heatmap(SIDE, SIDE, `kernel of ${expertName(i)}`));
    cards.replaceChildren(...kernels.map(({ root }, i) => h("div", {}, name("W", i), root)));
    bars = rows.map(({ alpha }) => {
      const made = each.map((i) => ({ line: bar(i), value: h("span", { class: "dc-number" }) }));
      const part = ({ line, value }, i) =>
        h("div", { class: "dc-alpha" }, name("α", i), line.root, value);
      alpha.replaceChildren(...made.map(part));
      return made;
    });
    rows.forEach(({ heading }, i) => {
      const looks = chosen.kinds === "look alike" ? names.join(" or ") : names[i];
      heading.textContent = `kind ${i + 1}: ${looks}`;
    });
    choices.forEach(({ mark }) => mark());
    repaint();
    describe();
  }

  function learn(steps) {
    const done = descend(model, data, rate, steps);
    losses.push(...done.losses);
    model = done.model;
    error = gradient(model, data).loss;
    if (hasRunAway()) pause();
    show();
    describe();
  }
  function run() {
    play.textContent = "pause";
    last = performance.now();
    frame = requestAnimationFrame(tick);
    learn(1);
  }
  function tick(now) {
    // as many steps as belong to the time since the last frame, if that was not long ago
    const steps = (Math.min(now - last, 50) * PER_SECOND) / 1000;
    last = now;
    frame = requestAnimationFrame(tick);
    learn(Math.max(1, Math.round(steps)));
  }
  function pause() {
    cancelAnimationFrame(frame);
    frame = null;
    play.textContent = "learn";
    describe();
  }
  const hasRunAway = () => !(error < 100); // NaN too

  function path(values, end) {
    const stride = Math.ceil(values.length / 300);
    const points = values.map((v, n) => `${(100 * n) / end} ${height(v)}`);
    return points.length ? `M${points.filter((_, n) => n % stride === 0).join("L")}` : "";
  }

  function show() {
    const end = 2000 * 2 ** Math.max(0, Math.ceil(Math.log2(losses.length / 2000)));
    lines.innerHTML =
      `<path class="dc-before" d="${path(before, end)}"/>` +
      `<path class="dc-floor" d="M0 ${height(floor)}H100"/>` +
      `<path class="dc-run" d="${path(losses, end)}"/>`;
    [0, end / 2, end].forEach((at, i) => (ticks[i].textContent = count(at)));
    ticks[2].textContent += " steps";
    const shown = hasRunAway() ? "over 100" : number(error);
    status.textContent = `step ${count(losses.length)}, error ${shown}`;
    rule.textContent =
      `Each step: every weight minus ${rate.toPrecision(2)} times its gradient, ` +
      `over all ${data.pictures.length} pictures.`;

    if (hasRunAway()) return; // such kernels cannot be drawn: those from before stay
    kernels.forEach((map, i) => map.set(fold(model.experts[i], SIDE), full));
    rows.forEach(({ kernel, Y }, k) => {
      const alpha = alphaOf(k);
      const mixture = mixed(model.experts, alpha);
      bars[k].forEach(({ line, value }, i) => {
        line.set(0, alpha[i]);
        value.textContent = number(alpha[i]);
      });
      kernel.set(fold(mixture, SIDE), full);
      Y.paint(convolve(examples[k].x, mixture), strongest);
    });
  }
  const alphaOf = (k) => route(model, brightness(examples[k].x));

  function repaint() {
    rows.forEach(({ X, wanted }, k) => {
      X.paint(examples[k].x);
      wanted.paint(examples[k].wanted, strongest);
    });
    best.style.top = `${height(floor)}%`;
    best.textContent = `best single kernel: ${number(floor)}`;
    note.textContent =
      "One picture of each kind, with its own α. " +
      `Full colour: ±${number(full)} in kernels, ±${number(strongest)} in Y.`;
    show();
  }

  /** While it learns a sentence without numbers, which seldom changes: each change is read out. */
  function describe() {
    const easy = floor < 0.01; // one kernel can do it all
    const better = error < 0.9 * floor;
    const side = better ? "below" : "not below";
    let text = `Nothing is learned yet: the error is ${number(error)}. Press learn.`;
    if (hasRunAway())
      text = "The error has run away: the learning rate is too high. Lower it, then press reset.";
    else if (frame !== null)
      text = easy
        ? "Learning what a single kernel can do."
        : `Learning. The error is ${side} that of the best single kernel.`;
    else if (losses.length) {
      const [a, b] = [0, 1].map((k) => number(alphaOf(k)[0]));
      const fixed =
        chosen.router === "none" || (chosen.router === "softmax" && chosen.experts === 1);
      const verdict = fixed
        ? "With a fixed α all of it is one static kernel."
        : better && !easy
          ? "The router helps."
          : "So far the router gains nothing.";
      text =
        `After ${count(losses.length)} steps the error is ${number(error)}, that of the best ` +
        `single kernel ${number(floor)}. α₁ is ${a} for the picture of kind 1, ${b} for that of ` +
        `kind 2. ${verdict}`;
    }
    if (text !== said) sentence.say((said = text));
  }

  const part = (text, node, name = null) =>
    h("div", { class: name }, node, h("span", { class: "dc-label" }, text));
  element.append(
    h("div", { class: "dc-choices" }, ...choices.map(({ root }) => root)),
    buttons("run", play, step, reset, status),
    h(
      "div",
      { class: "dc-learning" },
      h("div", {}, curve, h("div", { class: "dc-ticks" }, ...ticks)),
      cards,
      speed.root,
      rule,
    ),
    ...rows.map(({ heading, X, alpha, kernel, Y, wanted }) =>
      h(
        "div",
        { class: "dc-kind" },
        heading,
        part("X", X.canvas),
        part("α", alpha, "dc-alphas"),
        part("Σ αᵢWᵢ", kernel.root),
        part("Y", Y.canvas),
        part("wanted Y", wanted.canvas),
      ),
    ),
    note,
    sentence.root,
  );
  restart();
  new IntersectionObserver((seen) => {
    if (frame !== null && !seen.at(-1).isIntersecting) pause();
  }).observe(element);
  return repaint;
}
