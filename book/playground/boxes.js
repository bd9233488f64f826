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
 * The boxes of one picture, best first. The head is one that suppresses its own doubles, so what is
 * left to do is to drop the boxes of no more than the threshold.
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
