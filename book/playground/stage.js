// The picture that the detector sees, with its boxes, and the tools to draw on it by mouse, finger, pen or keys.
import { same } from "./boxes.js";
import { button, buttons, h, number, slider, summary, svg } from "./kit.js";
import { STAMPS } from "./sheet.js";

/** The boxes that have no counterpart among the others. */
export function lost(boxes, others) {
  return boxes.filter((box) => !others.some((other) => same(box, other)));
}

const BRUSH = 0.07; // width, as a part of the side
const KEYS = { d: "disc", s: "square", t: "triangle" };
const HELP =
  "Keys on the picture: the arrows move the cross, D, S and T stamp a disc, a square or a " +
  "triangle, B makes a dot, + and − change the size, Backspace undoes.";

/**
 * @param sheet see sheet.js
 * @param {{size: number, classes: string[]}} facts
 * @param {() => void} changed the reader has drawn
 * @param {() => void} clear the reader wants an empty sheet
 */
export function makeStage(sheet, facts, changed, clear) {
  const { size, classes } = facts;
  let tool = null;
  let side = 0.27;
  let last = null; // where the brush is
  let finger = null; // that holds it
  let cross = [0.5, 0.5];

  const canvas = h("canvas", {
    width: size,
    height: size,
    class: "pg-pixels",
    "aria-hidden": "true",
  });
  const boxes = h("div", { class: "pg-boxes", "aria-hidden": "true" });
  const cursor = h("span", { class: "pg-cross", "aria-hidden": "true" });
  const shadow = h("span", { class: "pg-shadow", "aria-hidden": "true" });
  const picture = h(
    "div",
    {
      class: "pg-picture",
      tabindex: 0,
      role: "application",
      "aria-label": `The picture, to draw on. ${HELP}`,
      pointerdown: begin,
      pointermove: go,
      pointerup: end,
      pointercancel: end,
      lostpointercapture: end,
      pointerleave: () => shadow.classList.remove("pg-on"),
      keydown: key,
    },
    canvas,
    boxes,
    shadow,
    cursor,
  );
  const position = summary(); // where the cross is, for who does not see it
  position.root.className = "pg-spoken";

  const at = (event) => {
    const frame = canvas.getBoundingClientRect();
    return [(event.clientX - frame.left) / frame.width, (event.clientY - frame.top) / frame.height];
  };
  function begin(event) {
    if (!tool || event.button > 0 || last) return;
    event.preventDefault(); // no text is marked meanwhile
    picture.focus({ preventScroll: true });
    const here = at(event);
    if (tool === "brush") {
      picture.setPointerCapture(event.pointerId);
      sheet.stroke(here, here, BRUSH, true);
      [last, finger] = [here, event.pointerId];
    } else {
      sheet.stamp(tool, ...here, side);
    }
    cross = here;
    changed();
  }
  function go(event) {
    const here = at(event);
    if (tool && event.pointerType === "mouse") outline(here);
    if (!last || event.pointerId !== finger) return;
    for (const step of event.getCoalescedEvents?.() ?? []) {
      const to = at(step);
      sheet.stroke(last, to, BRUSH);
      last = to;
    }
    sheet.stroke(last, here, BRUSH);
    last = here;
    changed();
  }
  function end(event) {
    if (event.pointerId === finger) last = null;
  }
  /** What the tool would leave here. */
  function outline([x, y]) {
    const wide = tool === "brush" ? BRUSH : side;
    shadow.style.cssText = `left:${100 * x}%;top:${100 * y}%;width:${100 * wide}%`;
    shadow.dataset.tool = tool;
    shadow.classList.add("pg-on");
  }

  function key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const name = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const stamp = KEYS[name] ?? (name === "Enter" || name === " " ? (tool ?? "disc") : null);
    if (moves[name]) {
      cross = cross.map((c, i) => Math.min(Math.max(c + 0.05 * moves[name][i], 0), 1));
      place();
      const [x, y] = cross.map((c) => Math.round(100 * c));
      position.say(`The cross is at ${x}% from the left, ${y}% from the top.`);
    } else if (name === "b" || stamp === "brush") {
      sheet.stroke(cross, cross, BRUSH, true);
      changed();
    } else if (stamp) {
      sheet.stamp(stamp, ...cross, side);
      changed();
    } else if (name === "+" || name === "-" || name === "−") {
      side = Math.min(Math.max(side + (name === "+" ? 0.03 : -0.03), 0.12), 0.6);
      sizes.set(side);
      position.say(`Size ${Math.round(100 * side)}% of the picture.`);
    } else if (name === "Backspace" || name === "Delete") {
      sheet.undo();
      changed();
    } else {
      return;
    }
    event.preventDefault();
  }
  function place() {
    cursor.style.cssText = `left:${100 * cross[0]}%;top:${100 * cross[1]}%`;
  }

  const tools = ["brush", ...Object.keys(STAMPS)].map((name) => {
    const node = button("", () => take(tool === name ? null : name), {
      "aria-label": name,
      title: name,
      "aria-pressed": "false",
      class: "dc-button pg-tool",
    });
    node.append(svg({ viewBox: "0 0 24 24", "aria-hidden": "true" }, ICONS[name]));
    return { name, node };
  });
  const sizes = slider({
    label: "size",
    min: 0.12,
    max: 0.6,
    step: 0.01,
    value: side,
    format: (v) => `${Math.round(100 * v)}%`,
    change: (value) => (side = value),
  });
  const undo = button("undo", () => {
    sheet.undo();
    changed();
  });
  const bar = buttons("Draw", ...tools.map(({ node }) => node), undo, button("clear", clear));
  const hint = h("p", { class: "pg-hint" }, HELP);

  /** Take a tool in hand; without one, a finger on the picture scrolls the page. */
  function take(name) {
    tool = name;
    for (const each of tools) each.node.setAttribute("aria-pressed", String(each.name === name));
    picture.classList.toggle("pg-drawing", tool !== null);
    bar.classList.toggle("pg-stamping", tool !== null && tool !== "brush");
    shadow.classList.remove("pg-on");
  }

  function paint(grey) {
    const pen = canvas.getContext("2d");
    const image = pen.createImageData(size, size);
    grey.forEach((value, i) => {
      image.data.fill(Math.round(255 * value), 4 * i, 4 * i + 3);
      image.data[4 * i + 3] = 255;
    });
    pen.putImageData(image, 0, 0);
  }

  const frame = ({ x1, y1, x2, y2 }, kind, ...inside) => {
    const [left, top, right, bottom] = [x1, y1, x2, y2].map((v) =>
      Math.min(Math.max(v / size, 0), 1),
    );
    const part = (v) => `${(100 * v).toFixed(2)}%`;
    const style =
      `left:${part(left)};top:${part(top)};` +
      `width:${part(right - left)};height:${part(bottom - top)}`;
    return h("div", { class: kind, style }, ...inside);
  };
  /** The boxes of now, and dashed those that only the routers' own α would give. */
  function mark(now, own) {
    const label = ({ kind, y1, x1 }, text) => {
      // above the box and from its left edge, where there is room
      const place = `${y1 / size < 0.08 ? " pg-inside" : ""}${x1 / size > 0.7 ? " pg-left" : ""}`;
      return h("span", { class: `pg-name${place}` }, `${classes[kind]} ${text}`);
    };
    boxes.replaceChildren(
      ...lost(own ?? [], now).map((box) => frame(box, "pg-box pg-lost", label(box, "lost"))),
      ...now.map((box) => frame(box, "pg-box", label(box, number(box.score)))),
    );
  }
  place();
  return {
    picture,
    canvas,
    boxes,
    bar,
    sizes: sizes.root,
    hint,
    spoken: position.root,
    paint,
    mark,
    take,
  };
}

const ICONS = {
  brush:
    '<path d="M4 17c3-9 5 5 8-3s4-7 8-4" fill="none" stroke="currentColor" stroke-width="3.2" stroke-linecap="round"/>',
  disc: '<circle cx="12" cy="12" r="8.5" fill="currentColor"/>',
  square: '<path d="M4.5 4.5h15v15h-15z" fill="currentColor"/>',
  triangle: '<path d="M12 3 21 19.5H3z" fill="currentColor"/>',
};
