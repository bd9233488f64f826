// The picture by daylight, at the detector's own size: what is drawn on, filled from a file, or fed by the camera.
import { PADDING, greyOf, letterbox } from "./pictures.js";

const GROUND = 214; // grey of an empty sheet, and of what is drawn on it: as in the scenes
const INK = 56;
const STEPS = 30; // that can be undone

/** The outlines of the stamps, of side 1 around (0, 0), as in dynconv.lab.drawing. */
export const STAMPS = {
  disc: (pen) => pen.arc(0, 0, 0.5, 0, 7),
  square: (pen) => pen.rect(-0.4, -0.4, 0.8, 0.8),
  triangle: (pen) =>
    [
      [0, -0.5],
      [0.5, 0.4],
      [-0.5, 0.4],
    ].forEach(([x, y]) => pen.lineTo(x, y)),
};

/** Positions are in parts of the side, from 0 to 1. */
export function makeSheet(size) {
  const canvas = Object.assign(document.createElement("canvas"), { width: size, height: size });
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const before = []; // ImageData, the newest last

  const grey = (value) => `rgb(${value} ${value} ${value})`;
  const keep = () => {
    before.push(pen.getImageData(0, 0, size, size));
    if (before.length > STEPS) before.shift();
  };
  const fill = (colour) => {
    pen.fillStyle = colour;
    pen.fillRect(0, 0, size, size);
  };
  /** A picture of any shape; `whole` shows all of it, otherwise its middle fills the square. */
  function show(picture, width, height, whole = true) {
    fill(PADDING);
    pen.imageSmoothingQuality = "high";
    if (whole) {
      const place = letterbox(width, height, size);
      pen.fillStyle = "white"; // below what is transparent
      pen.fillRect(place.x, place.y, place.width, place.height);
      pen.drawImage(picture, place.x, place.y, place.width, place.height);
    } else {
      const side = Math.min(width, height);
      const corner = [(width - side) / 2, (height - side) / 2];
      pen.drawImage(picture, ...corner, side, side, 0, 0, size, size);
    }
  }
  const load = (...picture) => {
    before.length = 0;
    show(...picture);
  };
  const empty = () => {
    before.length = 0;
    fill(grey(GROUND));
  };
  function stamp(kind, x, y, side) {
    keep();
    pen.save();
    pen.translate(x * size, y * size);
    pen.scale(side * size, side * size);
    pen.beginPath();
    STAMPS[kind](pen);
    pen.fillStyle = grey(INK);
    pen.fill();
    pen.restore();
  }
  /** A piece of a stroke; `first` begins it with a dot, and all of it is undone at once. */
  function stroke(from, to, width, first) {
    if (first) stamp("disc", ...from, width);
    Object.assign(pen, { strokeStyle: grey(INK), lineWidth: width * size, lineCap: "round" });
    pen.beginPath();
    for (const [x, y] of [from, to]) pen.lineTo(x * size, y * size);
    pen.stroke();
  }
  function undo() {
    if (before.length) pen.putImageData(before.pop(), 0, 0);
  }
  empty();
  return {
    load,
    show,
    empty,
    stamp,
    stroke,
    undo,
    grey: () => greyOf(pen.getImageData(0, 0, size, size)),
  };
}
