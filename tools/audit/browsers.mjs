// What a page of the site does in an engine other than Chromium: browsers.mjs ENGINE ADDRESS PAGE... prints one line of
// JSON for each page: what is wrong with it on a desk in the light, and on a phone in the dark. tools/browsers.py serves the
// pages, each with a script that keeps what goes wrong.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import puppeteer from "puppeteer-core";

const VIEWS = [
  { scheme: "light", width: 1280, height: 900 },
  { scheme: "dark", width: 390, height: 844 },
];

/** Stock Firefox, over WebDriver BiDi. */
async function firefox(program) {
  const browser = await puppeteer.launch({ browser: "firefox", executablePath: program, headless: true });
  const page = await browser.newPage(); // the first window has not the focus
  return {
    version: (await browser.version()).replace("/", " "),
    async open(address, { width, height }) {
      await page.setViewport({ width, height });
      await page.goto(address, { waitUntil: "load" });
    },
    run: (task, ...values) => page.evaluate(task, ...values),
    press: (key) => page.keyboard.press(key),
    close: () => browser.close(),
  };
}

/** WebKitGTK's MiniBrowser, over the classic WebDriver, which needs no more than `fetch`. */
async function webkit(program, miniBrowser) {
  const port = await freePort();
  const driver = spawn(program, [`--port=${port}`], { stdio: "ignore" });
  const call = async (method, path, body) => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method, body: body && JSON.stringify(body) });
    const { value } = await answer.json();
    if (!answer.ok) throw new Error(`${value.error}: ${value.message}`);
    return value;
  };
  const asked = {
    browserName: "MiniBrowser",
    "webkitgtk:browserOptions": { binary: miniBrowser, args: ["--automation"] },
  };
  const { sessionId, capabilities } = await until(
    () => call("POST", "/session", { capabilities: { alwaysMatch: asked } }),
    20,
  );
  const at = `/session/${sessionId}`;
  const KEYS = { Enter: "\uE007", Escape: "\uE00C", ArrowLeft: "\uE012", ArrowRight: "\uE014" };
  return {
    version: `WebKitGTK ${capabilities.browserVersion}`,
    // Its window cannot be as narrow as a phone, so the page stands in a frame (tools/browsers.py).
    async open(address, { width, height }) {
      await call("POST", `${at}/window/rect`, { width: Math.max(width, 1280), height: height + 60 });
      await call("POST", `${at}/url`, { url: new URL(`/frame?${width}x${height}`, address).href });
      const [frame] = Object.values(await call("POST", `${at}/element`, { using: "css selector", value: "iframe" }));
      await call("POST", `${at}/execute/async`, {
        script: "const [frame, src, done] = arguments; frame.onload = () => done(); frame.src = src;",
        args: [{ "element-6066-11e4-a52e-4f735466cecf": frame }, address],
      });
      await call("POST", `${at}/frame`, { id: { "element-6066-11e4-a52e-4f735466cecf": frame } });
    },
    run: (task, ...args) =>
      call("POST", `${at}/execute/sync`, { script: `return (${task}).apply(null, arguments);`, args }),
    async press(key) {
      const value = KEYS[key];
      const actions = ["keyDown", "keyUp"].map((type) => ({ type, value }));
      await call("POST", `${at}/actions`, { actions: [{ type: "key", id: "keys", actions }] });
    },
    async close() {
      await call("DELETE", at);
      driver.kill();
    },
  };
}

function freePort() {
  return new Promise((done) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}

/** What `look` gives as soon as it gives something; false or its error after so many seconds. */
async function until(look, seconds = 5) {
  const end = Date.now() + 1000 * seconds;
  for (;;) {
    try {
      const seen = await look();
      if (seen || Date.now() > end) return seen;
    } catch (error) {
      if (Date.now() > end) throw error;
    }
    await wait(100);
  }
}

/** What is wrong with the page that is open. */
async function faults(engine, { scheme, width }, isPlayground) {
  const wrong = [];
  const expect = (holds, fault) => holds || wrong.push(fault);
  const { run, press } = engine;
  const theme = () => run(() => document.documentElement.dataset.theme);

  await run(() => document.fonts.ready.then(() => null));
  expect((await theme()) === scheme, `it is not ${scheme}`);
  const [wide, room] = await run(() => [document.documentElement.scrollWidth, innerWidth]);
  expect(room === width, `the window is ${room} px wide`);
  expect(wide <= room, `it scrolls sideways: ${wide} px`);
  const lettered = (family) =>
    until(() =>
      run(
        (family) => [...document.fonts].some((font) => font.family.includes(family) && font.status === "loaded"),
        family,
      ),
    );
  if (await run(() => Boolean(document.querySelector("main .katex"))))
    expect(await lettered("KaTeX_Main"), "formulas have not their letters");

  const figures = await run(() => document.querySelectorAll("main .dc-figure:has(> script)").length);
  for (let i = 0; i < figures; i++) {
    const name = await run((i) => {
      const figure = (window.figure = document.querySelectorAll("main .dc-figure:has(> script)")[i]);
      figure.scrollIntoView({ block: "center" });
      // What a reader sees of it, but for the control: that a slider shows its own value is no reaction.
      window.looks = () => {
        const copy = figure.cloneNode(true);
        for (const each of copy.querySelectorAll("input, output, button, select, label:not(:has(svg, canvas))"))
          each.remove();
        return [copy.innerHTML, ...[...figure.querySelectorAll("canvas")].map((each) => each.toDataURL())].join();
      };
      return figure.localName;
    }, i);
    expect(await until(() => run(() => window.figure.matches(".dc-ready"))), `${name} is not drawn`);
    const empty = await run(() => {
      const { width, height } = window.figure.getBoundingClientRect();
      const blank = [...window.figure.querySelectorAll("canvas")].some((canvas) => {
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        return !data.some((value) => value);
      });
      return blank || width < 100 || height < 50;
    });
    expect(!empty, `${name} is empty`);
    const kind = await run(() => {
      const control =
        window.figure.querySelector("input[type=range]:enabled") ?? window.figure.querySelector("button:enabled");
      control?.focus();
      window.before = window.looks();
      if (!control || document.activeElement !== control) return null;
      return control.localName === "button" ? "button" : control.valueAsNumber < 0.9 * control.max ? "up" : "down";
    });
    expect(kind, `${name} has no control that takes the focus`);
    const key = { button: "Enter", up: "ArrowRight", down: "ArrowLeft" }[kind];
    for (let step = 0; key && step < (kind === "button" ? 1 : 5); step++) await press(key);
    expect(await until(() => run(() => window.looks() !== window.before)), `${name} does not react to ${key}`);
  }
  if (isPlayground) {
    await run(() => document.querySelector(".pg-start")?.click());
    const end = await until(
      () =>
        run(() => {
          const [alert] = [...document.querySelectorAll("#playground [role=alert]")].filter((each) => each.textContent);
          if (alert) return alert.textContent;
          return document.querySelector("#playground .dc-summary")?.textContent.includes("Found") && "plays";
        }),
      90,
    );
    expect(end === "plays", `the playground says: ${end || "nothing"}`);
  }

  await run(() => scrollTo(0, 0));
  /** Put the focus on the first that is shown; false if there is none. */
  const focus = (selector) =>
    run((selector) => {
      const shown = [...document.querySelectorAll(selector)].find((each) => each.checkVisibility());
      shown?.focus();
      return Boolean(shown);
    }, selector);
  if (await focus('[data-bs-toggle="dropdown"]')) {
    const menu = () => run(() => Boolean(document.querySelector(".dropdown-menu.show")?.checkVisibility()));
    await press("Enter");
    expect(await until(menu), "the menu does not open");
    await press("Escape");
    expect(await until(async () => !(await menu())), "the menu does not close");
  }
  // Light, dark and the system's, which is one of the two
  const switches = async () =>
    (await focus(".theme-switch-button")) && (await press("Enter"), (await theme()) !== scheme);
  expect((await switches()) || (await switches()), "the switch does not change the theme");
  const writes = () => run(() => Boolean(document.activeElement?.matches("dialog[open] *, input[type=search]")));
  await focus(".search-button, .search-button-field");
  await press("Enter");
  expect(await until(writes), "the search does not open");
  wrong.push(...(await run(() => window.wentWrong)));
  return wrong;
}

const [name, address, ...rest] = process.argv.slice(2);
const programs = rest.splice(0, rest.indexOf("--"));
const pages = rest.slice(1);
if (!programs.every(existsSync)) throw new Error(`not there: ${programs}`);
const engine = await { firefox, webkit }[name](...programs);
try {
  console.log(JSON.stringify({ version: engine.version }));
  for (const page of pages) {
    const wrong = [];
    for (const view of VIEWS) {
      try {
        await engine.open(`${address}${page}?mode=${view.scheme}`, view);
        const found = await faults(engine, view, page.endsWith("playground.html"));
        wrong.push(...found.map((each) => `${view.scheme}, ${view.width} px: ${each}`));
      } catch (error) {
        wrong.push(`${view.scheme}, ${view.width} px: ${error.message}`);
      }
    }
    console.log(JSON.stringify({ page, wrong }));
  }
} finally {
  await engine.close();
}
