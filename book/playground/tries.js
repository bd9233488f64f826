// Things to try, one click each: what happens, and what to look at. What comes of it stands in the result.
import { button, h } from "./kit.js";

const PAUSE = 900; // milliseconds, in which the reader sees how it was before

/**
 * @typedef {object} Hands what a try may do
 * @property {(light: string) => Promise<void>} scene show the first scene, under this light
 * @property {(light: string) => void} light
 * @property {(who: string) => void} alpha
 * @property {(light: string) => void} draw an empty sheet under this light, and the brush in hand
 */

/** @param {Hands} hands */
export function makeTries(hands) {
  const tries = [
    {
      title: "Switch the light off",
      look: "The light went from day to night. Did the bars move towards ●, the mean of night pictures? Are the boxes still where they were?",
      steps: [() => hands.alpha("router"), () => hands.scene("day"), () => hands.light("night")],
    },
    {
      title: "Put night's α on a day scene",
      look: "A bright picture, and the kernels that the routers mix in the dark. Dashed boxes are what the routers' own α find. Which of them have you lost, and which layer is to blame? Give the layers back one by one.",
      steps: [() => hands.alpha("router"), () => hands.scene("day"), () => hands.alpha("night")],
    },
    {
      title: "Freeze α, then invert",
      look: "α is held as it was by day, and the picture has turned into its negative. The long thin lines through the bars say what the routers would have set. Press “routers” to let them.",
      steps: [
        () => hands.alpha("router"),
        () => hands.scene("day"),
        () => hands.alpha("frozen"),
        () => hands.light("inverted"),
      ],
    },
    {
      title: "Draw your own",
      look: "Draw a disc, a square or a triangle, filled or as a line. From which stroke on is it found? Then change the light.",
      steps: [() => hands.alpha("router"), () => hands.draw("day")],
    },
  ];
  const look = h("p", { class: "pg-look", role: "status" });
  let turn = 0; // a later try, or the reader's own hand, ends an earlier one
  async function run(index) {
    const mine = ++turn;
    choices.forEach((choice, i) => choice.setAttribute("aria-pressed", String(i === index)));
    look.textContent = tries[index].look;
    root.scrollIntoView(); // the picture comes into sight, on a phone too
    const { steps } = tries[index];
    for (const [number, step] of steps.entries()) {
      if (number === 2) await new Promise((resolve) => setTimeout(resolve, PAUSE));
      if (mine !== turn) return;
      await step();
    }
  }
  const choices = tries.map(({ title }, i) =>
    button(title, () => run(i), { class: "dc-button pg-try", "aria-pressed": "false" }),
  );
  const root = h(
    "div",
    { class: "pg-tries", role: "group", "aria-label": "Things to try" },
    h("div", { class: "pg-choices" }, ...choices),
    look,
  );
  const end = () => (turn += 1);
  /** Another picture is chosen: what to look at was said of the one before. */
  function forget() {
    end();
    choices.forEach((choice) => choice.setAttribute("aria-pressed", "false"));
    look.textContent = "";
  }
  return { root, end, forget };
}
