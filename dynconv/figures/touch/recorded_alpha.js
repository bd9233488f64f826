// What the routers made of one image: its α in every dynamic layer beside the means of the lights,
// and the kernel that came of it.
import {
  bar,
  button,
  buttons,
  h,
  heatmap,
  mix,
  number,
  slider,
  subscript,
  summary,
} from "./kit.js";

/**
 * ‖K(a) − K(b)‖ / ‖K(b)‖ of two mixed kernels, from the inner products gram[i][j] = ⟨Wᵢ, Wⱼ⟩ of the
 * whole experts: the kernel is linear in α, so ‖K(d)‖² = dᵀ·gram·d.
 */
export function change(gram, a, b) {
  const square = (v) =>
    gram.reduce((sum, row, i) => sum + v[i] * row.reduce((part, g, j) => part + g * v[j], 0), 0);
  return Math.sqrt(Math.max(square(a.map((value, i) => value - b[i])), 0) / square(b));
}

export function draw(element, data) {
  const { images, conditions, layers } = data;
  let [shown, looked] = [0, 0]; // the image, and the layer whose kernel is shown

  const thumbs = images.map((_, i) =>
    button("", () => choose(i), { "aria-pressed": String(i === 0) }),
  );
  thumbs.forEach((thumb, i) => {
    const { mark, name } = conditions[images[i].condition];
    thumb.append(
      h("img", { src: images[i].picture, alt: name }),
      h("span", {}, `${mark} ${i + 1}`),
    );
  });
  const name = (k) => `${conditions[k].mark} ${conditions[k].name}`;

  const where = slider({
    label: "kernel of layer",
    min: 0,
    max: layers.length - 1,
    step: 1,
    value: 0,
    format: (k) => layers[k].name,
    change: look,
  });
  function look(k) {
    looked = k;
    update();
  }
  function choose(i) {
    shown = i;
    update();
  }

  const picture = h("img", { class: "dc-shown", alt: "" });
  const title = h("span", { class: "dc-label" });
  const panels = layers.map(panel);

  /**
   * One layer: a bar per expert; the strong mark is the mean of the image's own light, the others
   * are those of the other lights.
   */
  function panel({ name, experts, means }) {
    const heading = h("strong", {}, name);
    const rows = experts.map((_, i) => {
      const line = bar(i);
      const marks = conditions.map((_, k) =>
        h("span", { class: "dc-mean", style: `left:${100 * means[k][i]}%` }),
      );
      line.root.append(...marks);
      const value = h("span", { class: "dc-number" });
      const root = h(
        "div",
        { class: "dc-recorded-row" },
        h(
          "span",
          { class: "dc-expert-label", style: `--c:var(--dc-expert-${i + 1})` },
          `α${subscript(i)}`,
        ),
        line.root,
        value,
      );
      return {
        root,
        set: (alpha, own) => {
          line.set(0, alpha);
          marks.forEach((mark, k) => mark.classList.toggle("dc-own", k === own));
          value.textContent = number(alpha);
        },
      };
    });
    const root = h(
      "div",
      { class: "dc-recorded-layer", role: "group", "aria-label": name },
      heading,
      ...rows.map((row) => row.root),
    );
    return {
      root,
      set: (alpha, own, lit) => {
        rows.forEach((row, i) => row.set(alpha[i], own));
        root.classList.toggle("dc-looked", lit);
      },
    };
  }

  const side = layers[0].experts[0].length;
  const kernels = ["this image", "mean of its light", "mean of all"].map((text) => {
    const map = heatmap(side, layers[0].experts[0][0].length, text);
    const note = h("span", { class: "dc-label" });
    return {
      root: h(
        "div",
        { class: "dc-recorded-kernel" },
        h("span", { class: "dc-label" }, text),
        map.root,
        note,
      ),
      map,
      note,
    };
  });
  const caption = h("p", { class: "dc-pointed" });
  const sentence = summary();

  function update() {
    const image = images[shown];
    thumbs.forEach((thumb, i) => thumb.setAttribute("aria-pressed", String(i === shown)));
    picture.src = image.picture;
    picture.alt = `image ${shown + 1}, ${conditions[image.condition].name}`;
    title.textContent = `X: image ${shown + 1}, ${name(image.condition)}`;
    layers.forEach((layer, k) => panels[k].set(layer.alpha[shown], image.condition, k === looked));
    const furthest = layers.map((layer) =>
      Math.max(
        ...layer.alpha[shown].map((value, i) => Math.abs(value - layer.means[image.condition][i])),
      ),
    );
    const most = furthest.indexOf(Math.max(...furthest));
    const { gram, alpha, mean } = layers[looked];
    sentence.say(
      `Image ${shown + 1}, ${conditions[image.condition].name}: its α differ from the mean of its ` +
        `light by at most ${number(furthest[most])}, in ${layers[most].name}. ` +
        `In ${layers[looked].name} its kernel differs from the mean kernel of all images by ` +
        `${number(100 * change(gram, alpha[shown], mean), 1)}% of that kernel's norm.`,
    );
    repaint();
  }

  function repaint() {
    const layer = layers[looked];
    const limit = Math.max(...layer.experts.flat(2).map(Math.abs)) || 1;
    const alphas = [layer.alpha[shown], layer.means[images[shown].condition], layer.mean];
    kernels.forEach(({ map, note }, k) => {
      map.set(mix(layer.experts, alphas[k]), limit);
      note.textContent =
        k === 2
          ? "reference"
          : `${number(100 * change(layer.gram, alphas[k], layer.mean), 1)}% away`;
    });
    caption.textContent =
      `${layer.name}, ${layer.part}. ` + "Percentages are those of the whole kernel.";
  }

  const key = h(
    "p",
    { class: "dc-legend" },
    h("span", {}, h("span", { class: "dc-key-mark dc-own" }), "mean of the image's light"),
    h("span", {}, h("span", { class: "dc-key-mark" }), "means of the other lights"),
  );
  const group = buttons("X", ...thumbs);
  group.classList.add("dc-thumbs");
  element.append(
    group,
    h(
      "div",
      { class: "dc-recorded" },
      h("div", { class: "dc-recorded-image" }, picture, title),
      h("div", { class: "dc-recorded-layers" }, ...panels.map(({ root }) => root)),
    ),
    key,
    where.root,
    h("div", { class: "dc-recorded-kernels" }, ...kernels.map(({ root }) => root)),
    caption,
    sentence.root,
  );
  update();
  return repaint;
}
