// The detector in the page: fetches it when it is asked to, and runs it. Without a DOM.
//
// onnxruntime-web computes, in WebAssembly with one thread: more need headers that static hosts do
// not set. WebGPU is left out: its build is nearly twice as large, and no test here could compare it.
//
// Fixed, and what a page may rely on: `start(base, progress)`; an engine's `facts` and
// `detect(grey, given)`. Every failure is an Error whose message is a sentence for the reader.

import { THRESHOLD, decode } from "./boxes.js";

const RUNTIME = "onnxruntime/ort.wasm.bundle.min.mjs";
const WASM = "onnxruntime/ort-wasm-simd-threaded.wasm";
const DETECTOR = "detector.onnx";

// The smallest module with an instruction on 128 bits (i8x16.popcnt of a splat).
const SIMD = [
  [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0],
  [10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11],
].flat();

/**
 * What the build knows of the detector (facts.json; its numbers are computed there).
 * @typedef {object} Facts
 * @property {number} size side of its square in pixels
 * @property {string[]} classes
 * @property {string[]} lights
 * @property {{name: string, experts: number, means: Object<string, number[]>}[]} layers the dynamic
 *   layers in the order of the network, with the mean α of each light
 * @property {{file: string, day: string, light: string}[]} scenes `file` is the scene under its
 *   light, `day` the same by daylight, which can be relit; both relative to `base`
 * @property {Object<string, number>} bytes length of each file that `start` fetches
 */

/**
 * @typedef {object} Detection
 * @property {import("./boxes.js").Box[]} boxes
 * @property {Object<string, number[]>} alpha α of each layer, as it was used
 * @property {number} milliseconds of the network alone
 */

/**
 * @typedef {object} Engine
 * @property {Facts} facts
 * @property {(grey: Float32Array, given?: Object<string, number[] | null>, threshold?: number) =>
 *   Promise<Detection>} detect
 */

/**
 * Fetch the detector and what runs it, and keep them: no request is made afterwards, and none
 * before.
 * @param {string | URL} base address of the folder with facts.json
 * @param {(done: number, all: number) => void} [progress] bytes, unpacked
 * @returns {Promise<Engine>}
 */
export async function start(base, progress = () => {}) {
  requireWebAssembly();
  const facts = await readFacts(base);
  const lengths = Object.values(facts.bytes);
  const all = lengths.reduce((sum, length) => sum + length, 0);
  const files = {};
  let before = 0;
  progress(0, all);
  for (const [name, length] of Object.entries(facts.bytes)) {
    files[name] = await download(base, name, length, (done) => progress(before + done, all));
    before += length;
  }
  // It is one of the files, and so in the browser's cache: a module whose import failed once could
  // not be imported before the page is loaded anew.
  const runtime = await import(new URL(RUNTIME, base)).catch(() => {
    throw new Error(`${RUNTIME} cannot be read: load the page anew.`);
  });
  return open(runtime, files[WASM], files[DETECTOR], facts);
}

/**
 * An engine from what was fetched.
 * @param runtime the module onnxruntime-web
 * @param {Uint8Array} wasm
 * @param {Uint8Array} detector
 * @param {Facts} facts
 * @returns {Promise<Engine>}
 */
export async function open(runtime, wasm, detector, facts) {
  const { Tensor, InferenceSession, env } = runtime;
  Object.assign(env.wasm, { numThreads: 1, wasmBinary: wasm });
  let session;
  try {
    session = await InferenceSession.create(detector, { executionProviders: ["wasm"] });
  } catch (error) {
    throw new Error(
      `The detector does not start in this browser (${error.message}): load the page anew, close other tabs, or try another browser.`,
    );
  }
  const { size, layers } = facts;

  async function detect(grey, given = {}, threshold = THRESHOLD) {
    if (grey.length !== size * size) {
      throw new Error(`The detector needs ${size} × ${size} pixels, and got ${grey.length}.`);
    }
    const images = new Float32Array(3 * grey.length);
    for (const channel of [0, 1, 2]) images.set(grey, channel * grey.length);
    const feeds = { images: new Tensor("float32", images, [1, 3, size, size]) };
    const unknown = Object.keys(given).find((name) => !layers.some((layer) => layer.name === name));
    if (unknown) throw new Error(`The detector has no dynamic layer ${unknown}.`);
    for (const { name, experts } of layers) {
      const alpha = given[name] ?? Array(experts).fill(NaN); // NaN: the router decides
      if (alpha.length !== experts) {
        throw new Error(`${name} has ${experts} experts, and got ${alpha.length} values.`);
      }
      feeds[`given.${name}`] = new Tensor("float32", Float32Array.from(alpha), [1, experts]);
    }
    const begin = performance.now();
    const outputs = await session.run(feeds);
    const milliseconds = performance.now() - begin;
    const alpha = layers.map(({ name }) => [name, [...outputs[`alpha.${name}`].data]]);
    const boxes = decode(outputs.output0.data, threshold);
    return { boxes, alpha: Object.fromEntries(alpha), milliseconds };
  }

  return { facts, detect };
}

function requireWebAssembly() {
  const remedy = "use a current Firefox, Chrome, Edge or Safari.";
  if (typeof WebAssembly !== "object") {
    throw new Error(`The detector needs WebAssembly, which is missing here: ${remedy}`);
  }
  if (!WebAssembly.validate(Uint8Array.from(SIMD))) {
    throw new Error(`The WebAssembly of this browser is too old (it has no SIMD): ${remedy}`);
  }
}

async function readFacts(base) {
  const response = await ask(base, "facts.json");
  try {
    return await response.json();
  } catch {
    throw new Error("facts.json did not arrive whole: check your connection and try again.");
  }
}

/** The bytes of a file, and none too few; `progress` hears how many there are. */
async function download(base, name, length, progress) {
  const reader = (await ask(base, name)).body.getReader();
  const chunks = [];
  let done = 0;
  const missing = () =>
    new Error(
      `${name} did not arrive whole (${done} of ${length} bytes): check your connection and try again.`,
    );
  for (;;) {
    const { value } = await reader.read().catch(() => {
      throw missing();
    });
    if (!value) break;
    chunks.push(value);
    done += value.length;
    progress(done);
  }
  if (done !== length) throw missing();
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}

/** `no-cache`: a copy that the browser kept is used only if the server says that it is today's. */
async function ask(base, name) {
  const response = await fetch(new URL(name, base), { cache: "no-cache" }).catch(() => {
    throw unreachable(name);
  });
  if (!response.ok) {
    throw new Error(
      `The site has no file ${name} (its answer is ${response.status}): the book has to be built anew.`,
    );
  }
  return response;
}

function unreachable(name) {
  return new Error(`${name} cannot be reached: check your connection and try again.`);
}
