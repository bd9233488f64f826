// The result in words, for the line below the picture and for a screen reader: without a DOM.
import { distinct } from "./boxes.js";

const NUMBERS = [
  "no",
  "one",
  "two",
  "three",
  "four",
  "five",
  "six",
  "seven",
  "eight",
  "nine",
  "ten",
];

/** "two discs in three boxes and one triangle", or "nothing". */
export function found(boxes, classes) {
  const say = (number) => NUMBERS[number] ?? number;
  const things = distinct(boxes);
  const parts = classes.map((name, kind) => {
    const [number, all] = [things, boxes].map((some) => some.filter((b) => b.kind === kind).length);
    const doubled = all > number ? ` in ${say(all)} boxes` : "";
    return number && `${say(number)} ${name}${number === 1 ? "" : "s"}${doubled}`;
  });
  return joined(parts.filter(Boolean)) || "nothing";
}

/** "a, b and c" */
export function joined(parts) {
  return parts.length < 2 ? parts.join("") : `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}`;
}

/**
 * The light whose mean α lies nearest to these α, all numbers of all layers taken together.
 * @param {Object<string, number[]>} alpha by layer
 */
export function nearest(alpha, { layers, lights }) {
  const square = (light) =>
    layers
      .flatMap(({ name, means }) => means[light].map((mean, i) => (alpha[name][i] - mean) ** 2))
      .reduce((sum, part) => sum + part, 0);
  return lights.reduce((best, light) => (square(light) < square(best) ? light : best));
}

/** Who sets α, e.g. "α is set by hand in layer 1 and left to the router in layers 2 and 3". */
export function deciders(owners) {
  const names = [...new Set(owners)];
  const layers = (name) => {
    const numbers = owners.flatMap((owner, k) => (owner === name ? [k + 1] : []));
    return `layer${numbers.length === 1 ? "" : "s"} ${joined(numbers)}`;
  };
  const where = (name) => (names.length === 1 ? "in all layers" : `in ${layers(name)}`);
  return `α is ${joined(names.map((name) => `${BY[name] ?? `the mean of ${name}`} ${where(name)}`))}`;
}
const BY = { router: "left to the router", yours: "set by hand", frozen: "frozen" };

/**
 * Everything at once.
 * @param shown boxes and alpha of the picture
 * @param own the same with α by the routers alone, or null where they decided anyway
 * @param {string[]} owners who set α, for each layer
 */
export function sentence(shown, own, owners, facts) {
  const now = found(shown.boxes, facts.classes);
  if (!own) {
    const light = nearest(shown.alpha, facts);
    return `Found: ${now}. The routers set α, and it is nearest to the mean of ${light}.`;
  }
  const before = found(own.boxes, facts.classes);
  const also = before === now ? "as with the routers' own α" : `with the routers' own α: ${before}`;
  return `Found: ${now}; ${also}. Now ${deciders(owners)}.`;
}

/** What went wrong with a picture that the reader gave. */
export function noPicture(name) {
  return `${name} is no picture that this browser can open: try a PNG, JPEG or WebP file.`;
}

/** What went wrong with the camera, from the error of `getUserMedia` (or null where there is none). */
export function noCamera(error) {
  const why = {
    NotAllowedError:
      "The camera was refused: allow it in the browser's address bar and press again",
    NotFoundError: "This machine has no camera that the browser can see",
    NotReadableError: "The camera is in use by another program: close that and press again",
  }[error?.name];
  const other = "This browser gives no camera to this page (it needs an address with https)";
  return `${why ?? other}. A photo as an image file does as well.`;
}
