// What the reader asked for, apart from what is drawn: kept in the address, changed in steps that can be undone.

/**
 * @typedef {object} State
 * @property {number} size Nodes of the first slice.
 * @property {number} most Nodes on the canvas at most.
 * @property {{key: string, keep: boolean}[]} expanded Nodes that were expanded, in order; of one with `keep`,
 *   only pinned nodes and those a later one needs are left.
 * @property {string[]} offTypes Types of nodes that are not shown.
 * @property {string[]} offKinds Kinds of edges that are not shown.
 * @property {[number|null, number|null]} years First and last year of the works that are shown.
 * @property {Object<string, [number, number]>} pins Place of each pinned node.
 * @property {[string, string]|null} path Ends of the path that is shown.
 */

export const TYPES = ["work", "person", "topic", "institution", "venue"];
export const KINDS = [
  "authored", "coauthor", "cites", "cocited", "topic", "same_topic", "affiliated", "published", "near",
  "reviewed", "reproduced",
];
export const SIZES = [60, 150, 500, 1000, 2000];
export const CEILINGS = [2000, 5000, 10000];
const KEY = /^[WATIS]\d{1,15}$/;
const LONGEST = 300;

/** Whether a text is the key of an entity. @param {string} text */
export const isKey = (text) => KEY.test(text);

/** The state before anything was done. @returns {State} */
export function initial() {
  return {
    size: 150, most: CEILINGS[0], expanded: [], offTypes: [], offKinds: [], years: [null, null], pins: {}, path: null,
  };
}

/** The state as the part of an address after `#`; empty for the initial one. @param {State} state */
export function toFragment(state) {
  const parts = [];
  const first = initial();
  if (state.size !== first.size) parts.push(`size=${state.size}`);
  if (state.most !== first.most) parts.push(`most=${state.most}`);
  if (state.expanded.length) {
    parts.push("expanded=" + state.expanded.map((one) => one.key + (one.keep ? "*" : "")).join(","));
  }
  // A type and a kind can have the same name, so each has its own part.
  if (state.offTypes.length) parts.push("nodes-off=" + state.offTypes.join(","));
  if (state.offKinds.length) parts.push("links-off=" + state.offKinds.join(","));
  if (state.years[0] !== null || state.years[1] !== null) {
    parts.push(`years=${state.years.map((year) => year ?? "").join("-")}`);
  }
  const pins = Object.entries(state.pins);
  if (pins.length) parts.push("pins=" + pins.map(([key, [x, y]]) => `${key}:${x}:${y}`).join(","));
  if (state.path) parts.push("path=" + state.path.join("~"));
  return parts.join("&");
}

/**
 * Read a state leniently: what makes no sense is left out, since an address may come from anywhere.
 * @param {string} text The address after `#`.
 * @returns {State}
 */
export function fromFragment(text) {
  const state = initial();
  const given = new Map(text.replace(/^#/, "").split("&").map((part) => /** @type {[string, string]} */ (
    part.includes("=") ? [part.slice(0, part.indexOf("=")), decoded(part.slice(part.indexOf("=") + 1))] : [part, ""])));
  const among = (/** @type {string} */ name, /** @type {number[]} */ values, /** @type {number} */ otherwise) =>
    values.includes(Number(given.get(name))) ? Number(given.get(name)) : otherwise;
  state.size = among("size", SIZES, state.size);
  state.most = among("most", CEILINGS, state.most);
  const listed = (/** @type {string} */ name) => (given.get(name) || "").split(",").slice(0, LONGEST);
  const seen = new Set();
  for (const one of listed("expanded")) {
    const key = one.replace(/\*$/, "");
    if (!isKey(key) || seen.has(key)) continue;
    seen.add(key);
    state.expanded.push({ key, keep: one.endsWith("*") });
  }
  state.offTypes = TYPES.filter((type) => listed("nodes-off").includes(type));
  state.offKinds = KINDS.filter((kind) => listed("links-off").includes(kind));
  const years = /^(\d{1,4})?-(\d{1,4})?$/.exec(given.get("years") || "");
  if (years) state.years = [years[1] ? Number(years[1]) : null, years[2] ? Number(years[2]) : null];
  for (const one of listed("pins")) {
    const [key, x, y] = one.split(":");
    const place = [Number(x), Number(y)];
    if (isKey(key) && y !== undefined && place.every((part) => Number.isFinite(part) && Math.abs(part) <= 100)) {
      state.pins[key] = [rounded(place[0]), rounded(place[1])];
    }
  }
  const ends = (given.get("path") || "").split("~");
  if (ends.length === 2 && ends.every(isKey) && ends[0] !== ends[1]) state.path = [ends[0], ends[1]];
  return state;
}

/** A place as the address has it. @param {number} part */
export const rounded = (part) => Math.round(part * 1e4) / 1e4;

/** @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** States in the order they were made, so that each can be gone back to. */
export class Steps {
  /** @param {State} first */
  constructor(first) {
    this.past = /** @type {{state: State, said: string}[]} */ ([]);
    this.future = /** @type {{state: State, said: string}[]} */ ([]);
    this.now = first;
  }

  /** Take a new state; `said` names the change in words. @param {State} state @param {string} said */
  take(state, said) {
    this.past.push({ state: this.now, said });
    if (this.past.length > 200) this.past.shift();
    this.future = [];
    this.now = state;
  }

  /** Go back one step; what was taken back, in words, or null. @returns {string|null} */
  undo() {
    const step = this.past.pop();
    if (!step) return null;
    this.future.push({ state: this.now, said: step.said });
    this.now = step.state;
    return step.said;
  }

  /** Do again what was taken back; it in words, or null. @returns {string|null} */
  redo() {
    const step = this.future.pop();
    if (!step) return null;
    this.past.push({ state: this.now, said: step.said });
    this.now = step.state;
    return step.said;
  }
}
