// Makes the index of the search: reads [{id, heading, page, text, code}, ...] and prints MiniSearch's index of it.
import { readFileSync } from "node:fs";
import MiniSearch from "minisearch";
import { OPTIONS } from "../../book/search/words.js";

const index = new MiniSearch(OPTIONS);
index.addAll(JSON.parse(readFileSync(0, "utf-8")));
process.stdout.write(JSON.stringify(index));
