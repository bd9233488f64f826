// Pictures as numbers, before the detector sees them: without a DOM, so that tests run it in Node.

/** What ultralytics puts around a picture that is no square, as a CSS colour. */
export const PADDING = "rgb(114 114 114)";

/** The spread of the noise of the light 'noisy', as in `dynconv.lab.drawing.relight`. */
const SPREAD = 0.16;

/** @typedef {"day" | "night" | "inverted" | "noisy"} Light */

/**
 * Where a picture goes in a square: as large as it fits, in the middle, as ultralytics places it.
 * For `drawImage(picture, x, y, width, height)` on a canvas that is filled with `PADDING`.
 * @returns {{x: number, y: number, width: number, height: number}} whole pixels of the square
 */
export function letterbox(width, height, size) {
  const scale = Math.min(size / width, size / height);
  const fitted = [width, height].map((side) => Math.max(1, roundToEven(side * scale)));
  const [x, y] = fitted.map((side) => Math.floor((size - side) / 2));
  return { x, y, width: fitted[0], height: fitted[1] };
}

/** Python's `round`: a half goes to the even neighbour. */
function roundToEven(value) {
  const near = Math.round(value);
  return near - value === 0.5 && near % 2 ? near - 1 : near;
}

/**
 * The grey of each pixel, 0 black to 1 white, as `convert("L")` of Pillow computes it.
 * @param {{data: ArrayLike<number>}} imageData what a canvas's `getImageData` gives
 * @returns {Float32Array} one number for each pixel
 */
export function greyOf({ data }) {
  const grey = (_, i) => {
    const [red, green, blue] = [data[4 * i], data[4 * i + 1], data[4 * i + 2]];
    return ((19595 * red + 38470 * green + 7471 * blue + 32768) >> 16) / 255;
  };
  return Float32Array.from({ length: data.length / 4 }, grey);
}

/**
 * A picture by daylight under another light.
 * @param {Float32Array} grey 0 to 1
 * @param {Light} light
 * @param {ArrayLike<number>} [noise] one number for each pixel, for the light 'noisy'
 * @returns {Float32Array} a new picture
 */
export function relight(grey, light, noise) {
  const change = {
    day: (value) => value,
    night: (value) => 0.25 * value,
    inverted: (value) => 1 - value,
    // rounded to 32 bits before the noise comes, as NumPy does
    noisy: (value, i) => Math.min(Math.max(Math.fround(0.25 + 0.5 * value) + noise[i], 0), 1),
  }[light];
  if (!change) throw new Error(`there is no light '${light}': use day, night, inverted or noisy`);
  if (light === "noisy" && noise?.length !== grey.length) {
    throw new Error(`noise needs one number for each of the ${grey.length} pixels`);
  }
  return grey.map(change);
}

/**
 * Noise for `relight`: the sum of four uniform numbers, which is near enough to normal; the same for
 * the same seed.
 * @param {number} seed a whole number
 * @returns {Float64Array}
 */
export function noise(length, seed) {
  const random = uniform(seed);
  const scale = SPREAD * Math.sqrt(3);
  const one = () => scale * (random() + random() + random() + random() - 2);
  return Float64Array.from({ length }, one);
}

/** Numbers from 0 to 1, by the generator mulberry32. */
function uniform(seed) {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
