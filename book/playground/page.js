// The page of the playground: puts the parts together, and asks the detector whenever something changed.
import { start } from "./engine.js";
import { button, buttons, h, number, slider, summary } from "./kit.js";
import { noise, relight } from "./pictures.js";
import { makeRouting } from "./routing.js";
import { makeSheet } from "./sheet.js";
import { makeCamera, pictureOf, receive } from "./sources.js";
import { makeStage } from "./stage.js";
import { makeTries } from "./tries.js";
import { makeWelcome } from "./welcome.js";
import { sentence } from "./words.js";

const BASE = new URL(".", import.meta.url);
const root = document.getElementById("playground");
const message = h("p", { class: "pg-message", role: "alert" });
const body = h("div", { class: "dc-body" });
root.append(body, message);
welcome();

function say(error) {
  message.textContent = error ? error.message : "";
}

/** A picture of the site, whole; fetched once. */
async function picture(file) {
  const image = Object.assign(new Image(), { src: new URL(file, BASE) });
  await image.decode().catch(() => {
    throw new Error(`${file} did not arrive whole: check your connection and try again.`);
  });
  return image;
}

async function welcome() {
  try {
    const response = await fetch(new URL("facts.json", BASE));
    const facts = await response.json();
    const shown = makeWelcome(facts, await picture(facts.scenes[0].day), begin);
    body.replaceChildren(shown.root);
    async function begin() {
      say(null);
      shown.progress(0, 0);
      try {
        const engine = await start(BASE, shown.progress);
        const all = (key) => Promise.all(engine.facts.scenes.map((scene) => picture(scene[key])));
        await play(engine, await all("day"), await all("file"));
      } catch (error) {
        say(error);
        shown.progress(null);
      }
    }
  } catch {
    say(new Error("The playground did not arrive whole: check your connection and try again."));
    const again = () => {
      say(null);
      welcome();
    };
    body.replaceChildren(button("Try again", again));
  }
}

/**
 * @param {import("./engine.js").Engine} engine
 * @param {HTMLImageElement[]} days the scenes by daylight
 * @param {HTMLImageElement[]} lit the same under their lights
 */
async function play(engine, days, lit) {
  const { facts } = engine;
  const { size, lights, scenes } = facts;
  const grain = noise(size * size, 1);
  let light = "day";
  let threshold = 0.25;
  let said = "";
  let [busy, again] = [null, false];

  const sheet = makeSheet(size);
  const stage = makeStage(sheet, facts, drawn, () => draw());
  const routing = makeRouting(facts, look, ask);
  const result = summary();
  const time = h("p", { class: "pg-time" });

  // --- what the detector says ------------------------------------------------------------------

  /** Ask it; while it computes, further wishes become one. */
  function look() {
    again = true;
    busy ??= (async () => {
      try {
        while (again) {
          again = false;
          await once();
        }
      } catch (error) {
        say(error);
      } finally {
        busy = null;
      }
    })();
    return busy;
  }
  /** What it says of now, whatever the reader does meanwhile. */
  function ask() {
    return engine.detect(relight(sheet.grey(), light, grain), { ...routing.given });
  }
  async function once() {
    const grey = relight(sheet.grey(), light, grain);
    stage.paint(grey);
    const given = { ...routing.given };
    const overruled = Object.keys(given).length > 0;
    const owners = routing.owners();
    const now = await engine.detect(grey, given, threshold);
    const own = overruled ? await engine.detect(grey, {}, threshold) : null;
    stage.mark(now.boxes, own?.boxes);
    routing.set(now.alpha, own?.alpha ?? null, light);
    const text = sentence(now, own, owners, facts);
    if (text !== said) result.say(text); // the same, said again, would never be read out
    said = text;
    time.textContent = `${number(now.milliseconds, 0)} ms in this browser, for ${size} × ${size} pixels`;
  }

  // --- pictures --------------------------------------------------------------------------------

  const thumbs = scenes.map((scene, i) => {
    const node = button("", () => pick(i, scene.light), {
      "aria-label": `scene ${i + 1}, ${scene.light}`,
      "aria-pressed": "false",
    });
    node.append(
      Object.assign(lit[i], { alt: "", width: 44, height: 44 }),
      h("span", { "aria-hidden": "true" }, facts.marks[scene.light]),
    );
    return node;
  });
  const chooser = h("input", {
    type: "file",
    accept: "image/*",
    class: "pg-spoken",
    tabindex: -1,
    "aria-hidden": "true",
    change: () => {
      if (chooser.files[0]) take(chooser.files[0]);
      chooser.value = "";
    },
  });
  const file = button("image file …", () => chooser.click());
  const camera = makeCamera((video) => {
    sheet.show(video, video.videoWidth, video.videoHeight, false);
    return look();
  }, cut);
  let asking = false;
  let turn = 0; // a picture that opens late gives way to what was chosen meanwhile
  const film = button("camera", shoot, { "aria-pressed": "false" });

  /** Something else is shown from now on. */
  function change(chosen = null) {
    turn += 1;
    say(null);
    camera.stop();
    show(chosen);
  }
  function show(chosen) {
    film.textContent = camera.on() ? "stop the camera" : "camera";
    film.setAttribute("aria-pressed", String(camera.on()));
    for (const node of thumbs) node.setAttribute("aria-pressed", String(node === chosen));
  }
  function pick(i, lit) {
    change(thumbs[i]);
    sheet.load(days[i], size, size);
    return relit(lit);
  }
  /** An empty sheet, under the light of now or another. */
  function draw(lit = light) {
    change();
    sheet.empty();
    stage.take("brush");
    return relit(lit);
  }
  function drawn() {
    if (camera.on()) change(); // the picture of now is kept, and drawn on
    look();
  }
  async function take(given) {
    const mine = ++turn;
    try {
      const bitmap = await pictureOf(given);
      if (mine === turn) {
        change();
        sheet.load(bitmap, bitmap.width, bitmap.height);
        relit("day");
      }
      bitmap.close(); // else a large one stays in memory for long
    } catch (error) {
      if (mine === turn) say(error);
    }
  }
  function cut() {
    change();
    say(new Error("The camera sends no more pictures: connect it, and press again."));
  }
  async function shoot() {
    if (asking) return;
    if (camera.on()) return change();
    change();
    asking = true; // the reader may take a while to answer
    try {
      await camera.start();
      if (!camera.on()) return; // something else was chosen meanwhile
      turn += 1;
      show(null);
      relit("day");
    } catch (error) {
      say(error);
    } finally {
      asking = false;
    }
  }

  // --- the light -------------------------------------------------------------------------------

  const lamps = lights.map((name) =>
    button(`${facts.marks[name]} ${name}`, () => relit(name), { "aria-pressed": "false" }),
  );
  function relit(name) {
    light = name;
    lamps.forEach((lamp, i) => lamp.setAttribute("aria-pressed", String(lights[i] === name)));
    return look();
  }

  const tries = makeTries({
    scene: (lit) => pick(0, lit),
    light: relit,
    alpha: routing.decide,
    draw,
  });
  const least = slider({
    label: "show boxes from score",
    min: 0.05,
    max: 0.95,
    step: 0.05,
    value: threshold,
    change: (value) => {
      threshold = value;
      look();
    },
  });

  const gallery = buttons("Pictures", ...thumbs);
  gallery.classList.add("pg-gallery");
  const own = buttons("Your own", file, film, chooser);
  const main = h(
    "div",
    { class: "pg-main" },
    h("div", { class: "pg-stage" }, stage.picture, result.root),
    h(
      "div",
      { class: "pg-controls pg-hands" },
      buttons("Light", ...lamps),
      stage.bar,
      stage.sizes,
      stage.hint,
    ),
    h(
      "div",
      { class: "pg-routing" },
      h("strong", { class: "pg-title" }, "How much of each expert"),
      routing.key,
      routing.group,
      routing.root,
    ),
    h(
      "div",
      { class: "pg-controls pg-more" },
      gallery,
      own,
      h(
        "p",
        { class: "pg-small" },
        `You may also drop an image here, or paste one. For the camera, draw dark shapes on paper. Your picture is made grey and ${size} × ${size} pixels small, as you see it above, and never leaves this machine.`,
      ),
      least.root,
      time,
      stage.spoken,
    ),
  );
  for (const kind of ["click", "input"]) main.addEventListener(kind, tries.end, true);
  gallery.addEventListener("click", tries.forget, true);
  body.replaceChildren(tries.root, main);
  receive(root, take, say);
  await pick(0, scenes[0].light);
  tries.root.scrollIntoView();
  tries.root.querySelector("button").focus({ preventScroll: true });
}
