// What the keys do while the canvas has the focus.

/** @typedef {import("./main.js").Explorer} Explorer */

const MOVES = /** @type {Object<string, [number, number]>} */ ({
  ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1],
});
const WITH_CONTROL = /** @type {Object<string, string>} */ ({ z: "undo", y: "redo" });

const DOES = /** @type {Object<string, (explorer: Explorer) => unknown>} */ ({
  ArrowRight: (explorer) => explorer.step("next"),
  ArrowLeft: (explorer) => explorer.step("previous"),
  ArrowDown: (explorer) => explorer.step("on"),
  ArrowUp: (explorer) => explorer.back(),
  Backspace: (explorer) => explorer.back(),
  Home: (explorer) => explorer.select(explorer.centre, true),
  e: (explorer) => explorer.expand(explorer.walk.at),
  c: (explorer) => explorer.collapse(explorer.walk.at),
  p: (explorer) => explorer.pin(explorer.walk.at),
  f: (explorer) => explorer.beginPath(explorer.walk.at),
  t: (explorer) => explorer.from && explorer.path(explorer.from, explorer.walk.at),
  w: (explorer) => explorer.why(),
  u: (explorer) => explorer.act("undo"),
  r: (explorer) => explorer.act("redo"),
  "+": (explorer) => explorer.act("in"),
  "=": (explorer) => explorer.act("in"),
  "-": (explorer) => explorer.act("out"),
  0: (explorer) => explorer.act("fit"),
  "/": (explorer) => explorer.act("find"),
  "?": (explorer) => explorer.act("keys"),
});

/** Enter is not here: the cursor is a link. @param {Explorer} explorer @param {KeyboardEvent} event */
export function pressed(explorer, event) {
  if (event.altKey || event.metaKey) return;
  if (event.ctrlKey) {
    const what = WITH_CONTROL[event.key.toLowerCase()];
    if (!what) return;
    explorer.act(what);
  } else if (event.shiftKey && MOVES[event.key]) {
    explorer.nudge(explorer.walk.at, ...MOVES[event.key]);
  } else if (DOES[event.key]) {
    DOES[event.key](explorer);
  } else {
    return;
  }
  event.preventDefault();
}
