// Lighthouse (as a phone) and axe (light and dark, a desk and a phone) over pages of a site, in the Chromium that
// listens at a port: audit.mjs PORT ADDRESS... prints one line of JSON for each address.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import lighthouse from "lighthouse";
import puppeteer from "puppeteer-core";

const [port, ...addresses] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf-8");
const browser = await puppeteer.connect({ browserURL: `http://127.0.0.1:${port}` });
const VIEWS = [
  ["light", 1280],
  ["light", 390],
  ["dark", 1280],
  ["dark", 390],
];

async function violations(address) {
  const found = [];
  for (const [scheme, width] of VIEWS) {
    const page = await browser.newPage();
    await page.setViewport({ width, height: 900 });
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
    await page.goto(address, { waitUntil: "load" });
    await page.evaluate(axe);
    const result = await page.evaluate(() => window.axe.run());
    for (const { id, nodes } of result.violations)
      found.push(`${id} (${scheme}, ${width} px): ${nodes.map((node) => node.target.join(" ")).join(", ")}`);
    await page.close();
  }
  return found;
}

for (const address of addresses) {
  const { lhr } = await lighthouse(address, { port, output: "json", logLevel: "error" });
  const of = (id) => lhr.audits[id].numericValue;
  const result = {
    address,
    scores: Object.fromEntries(Object.values(lhr.categories).map(({ id, score }) => [id, Math.round(100 * score)])),
    paint: of("largest-contentful-paint") / 1000,
    shift: of("cumulative-layout-shift"),
    blocked: of("total-blocking-time"),
    kib: of("total-byte-weight") / 1024,
    less: Object.values(lhr.audits)
      .filter(({ score, scoreDisplayMode }) => score !== null && score < 1 && scoreDisplayMode === "binary")
      .map(({ id }) => id),
    axe: await violations(address),
  };
  console.log(JSON.stringify(result));
}
await browser.disconnect();
