// From the detector's output to boxes: without a DOM, so that tests run it in Node.

/** The least score of a box that is shown; the one that `YOLO(...).predict` has. */
export const THRESHOLD = 0.25;

/**
 * @typedef {object} Box
 * @property {number} kind number of the class, counted from 0
 * @property {number} score 0 to 1
 * @property {number} x1 left edge, in pixels of the square that the detector saw
 * @property {number} y1 top edge
 * @property {number} x2 right edge
 * @property {number} y2 bottom edge
 */

/**
 * The boxes of one picture, best first. The head has learned to give each object one box, so nothing
 * is suppressed here; where it fails, there are two (see `distinct`). Those of no more than the
 * threshold are dropped.
 * @param {ArrayLike<number>} output0 rows x1, y1, x2, y2, score, class, one behind the other
 * @returns {Box[]}
 */
export function decode(output0, threshold = THRESHOLD) {
  const boxes = [];
  for (let row = 0; row < output0.length; row += 6) {
    const [x1, y1, x2, y2, score, kind] = Array.from({ length: 6 }, (_, i) => output0[row + i]);
    if (score > threshold) boxes.push({ kind, score, x1, y1, x2, y2 });
  }
  return boxes;
}

/** Whether two boxes are of one kind and half in common, and so for the same thing. */
export function same(a, b) {
  const length = (a, b, [from, to]) => Math.min(a[to], b[to]) - Math.max(a[from], b[from]);
  const area = (a, b) =>
    Math.max(length(a, b, ["x1", "x2"]), 0) * Math.max(length(a, b, ["y1", "y2"]), 0);
  return a.kind === b.kind && 2 * area(a, b) >= area(a, a) + area(b, b) - area(a, b);
}

/** The boxes, best first, without those for a thing that has one already. */
export function distinct(boxes) {
  return boxes.filter((box, i) => !boxes.slice(0, i).some((better) => same(better, box)));
}
