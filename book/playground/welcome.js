// Before the start: one scene under four lights with the mean α of each, and the button that fetches the detector.
import { bar, button, h, number, subscript } from "./kit.js";
import { noise, relight } from "./pictures.js";
import { makeSheet } from "./sheet.js";

/** The layer whose mean α differ most between the lights. */
export function liveliest({ layers, lights }) {
  const range = ({ experts, means }) =>
    Math.max(
      ...Array.from({ length: experts }, (_, i) => {
        const values = lights.map((light) => means[light][i]);
        return Math.max(...values) - Math.min(...values);
      }),
    );
  return layers.reduce((best, layer) => (range(layer) > range(best) ? layer : best));
}

/**
 * @param facts see engine.js
 * @param {HTMLImageElement} day a scene by daylight
 * @param {() => void} start
 */
export function makeWelcome(facts, day, start) {
  const layer = liveliest(facts);
  const sheet = makeSheet(facts.size);
  sheet.load(day, facts.size, facts.size);
  const grey = sheet.grey();
  const lights = facts.lights.map((light) => {
    const canvas = h("canvas", {
      width: facts.size,
      height: facts.size,
      class: "pg-pixels",
      role: "img",
      "aria-label": `the scene, ${light}`,
    });
    const pen = canvas.getContext("2d");
    const image = pen.createImageData(facts.size, facts.size);
    relight(grey, light, noise(grey.length, 1)).forEach((value, i) =>
      image.data.set([255 * value, 255 * value, 255 * value, 255], 4 * i),
    );
    pen.putImageData(image, 0, 0);
    const rows = layer.means[light].map((value, i) => {
      const line = bar(i);
      line.set(0, value);
      return h(
        "div",
        { class: "pg-mean", role: "img", "aria-label": `α${subscript(i)} ${number(value)}` },
        line.root,
      );
    });
    return h(
      "div",
      {},
      canvas,
      h("div", { class: "pg-light-name" }, `${facts.marks[light]} ${light}`),
      ...rows,
    );
  });
  const caption = h(
    "p",
    { class: "pg-caption" },
    `One scene under four lights. Each bar is one expert: how much of it the router of layer ${
      facts.layers.indexOf(layer) + 1
    } takes, on average over pictures of that light, from 0 to 1.`,
  );
  const go = button(`Start (${megabytes(facts)} MB)`, start, { class: "dc-button pg-start" });
  const progress = h("progress", { max: 1, value: 0, "aria-label": "fetching the detector" });
  const state = h("span", { class: "pg-state", "aria-hidden": "true" });
  const wait = h("div", { class: "pg-wait", hidden: "" }, progress, state);
  const spoken = h("span", { class: "pg-spoken", role: "status" }); // without the numbers that run
  const note = h(
    "p",
    { class: "pg-promise" },
    "It fetches the detector and the program that runs it, once; after that no network is needed. Your picture never leaves this machine.",
  );
  const root = h(
    "div",
    { class: "pg-welcome" },
    h("div", { class: "pg-lights" }, ...lights),
    caption,
    h("div", { class: "pg-go" }, go, wait, spoken, note),
  );
  return {
    root,
    /** Show the bar, or with null the button. */
    progress(done, all) {
      go.hidden = done !== null;
      wait.hidden = done === null;
      if (done === null) {
        go.textContent = "Try again";
        go.focus();
        spoken.textContent = "";
        return;
      }
      progress.value = all ? done / all : 0;
      state.textContent =
        done < all || !all
          ? `${(done / 1e6).toFixed(1)} of ${(all / 1e6).toFixed(1)} MB`
          : "getting ready …";
      spoken.textContent = done < all || !all ? "fetching the detector" : "getting ready";
    },
  };
}

function megabytes({ bytes }) {
  return Math.max(1, Math.round(Object.values(bytes).reduce((sum, n) => sum + n, 0) / 1e6));
}
