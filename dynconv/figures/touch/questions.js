// Questions with a few answers to choose from, each of which says why it is right or wrong.
import { button, h } from "./kit.js";

/** "weigh `W` by α" -> the text, with what stands between backticks as code. */
export function worded(text) {
  return text.split("`").map((part, i) => (i % 2 ? h("code", {}, part) : part));
}

/** What the line below the questions says: how many are answered, how many at the first try. */
export function standing(states) {
  const solved = states.filter((state) => state.solved);
  if (solved.length === 0) return "Choose an answer; each says why.";
  const first = solved.filter((state) => state.tries === 1).length;
  const all = `${solved.length} of ${states.length} answered`;
  return solved.length === states.length && first === states.length
    ? `${all}, each at the first try.`
    : `${all}, ${first} at the first try.`;
}

export function draw(element, { questions }) {
  const states = questions.map(() => ({ tries: 0, solved: false }));
  const line = h("p", { class: "dc-summary", "aria-live": "polite" }, standing(states));

  const asked = questions.map(({ question, choices }, number) => {
    const state = states[number];
    const rows = choices.map(({ choice, right, because }) => {
      // Empty until it is needed: a screen reader reads out what comes into a live region.
      const answer = h("p", { class: "dc-because", "aria-live": "polite" });
      const chosen = button("", () => {
        if (answer.textContent) return;
        chosen.setAttribute("aria-pressed", "true");
        answer.classList.add(right ? "dc-right" : "dc-wrong");
        answer.append(h("strong", {}, right ? "✓ Right. " : "✗ No. "), ...worded(because));
        state.tries += state.solved ? 0 : 1;
        state.solved ||= right;
        line.textContent = standing(states);
      });
      chosen.setAttribute("aria-pressed", "false");
      chosen.append(...worded(choice));
      return h("li", {}, chosen, answer);
    });
    return h("li", {}, h("p", {}, ...worded(question)), h("ol", { class: "dc-choices" }, ...rows));
  });

  element.append(h("ol", { class: "dc-questions" }, ...asked), line);
}
