// Unpacks the Chromium of @sparticuz/chromium into the folder named on the command line.
import { createReadStream, createWriteStream, mkdirSync, chmodSync } from "node:fs";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { createBrotliDecompress } from "node:zlib";
import tar from "tar-fs";

const packed = join(dirname(fileURLToPath(import.meta.url)), "node_modules/@sparticuz/chromium/bin");
const folder = process.argv[2];
mkdirSync(folder, { recursive: true });

const read = (name) => [createReadStream(join(packed, name)), createBrotliDecompress()];
await pipeline(...read("chromium.br"), createWriteStream(join(folder, "chromium")));
chmodSync(join(folder, "chromium"), 0o755);
await pipeline(...read("al2023.tar.br"), tar.extract(folder)); // lib/: NSS, for machines without libnss3
await pipeline(...read("fonts.tar.br"), tar.extract(folder)); // fonts/: Open Sans, for machines without fonts
await pipeline(...read("swiftshader.tar.br"), tar.extract(folder)); // software rendering
