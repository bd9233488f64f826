// Takes the rules out of style sheets that no page uses: purge.mjs FOLDER SHEET... prints what remains, in that order.
import path from "node:path";
import { PurgeCSS } from "purgecss";

const [folder, ...sheets] = process.argv.slice(2);
const results = await new PurgeCSS().purge({
  content: [path.join(folder, "**/*.html"), path.join(folder, "_static/**/*.js")],
  css: sheets.map((sheet) => path.join(folder, sheet)),
  keyframes: true,
  safelist: { standard: ["html", "body", /^data-theme/, /^katex/] },
});
const remaining = new Map(results.map((result) => [path.resolve(result.file), result.css]));
process.stdout.write(JSON.stringify(sheets.map((sheet) => remaining.get(path.resolve(folder, sheet)))));
