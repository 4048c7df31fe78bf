// The panel beside the canvas: what is selected, its links and why they are there; a path told link by link.

import * as api from "./api.js";
import { button, element, fill, link, safe } from "./dom.js";
import { neighbours, sentence } from "./model.js";
import { between, capital, count, KIND_WORDS, kindOf, links, role, told } from "./words.js";

/** @typedef {import("./model.js").Picture} Picture @typedef {import("./api.js").Edge} Edge */
/** @typedef {{nodes: Set<string>, edges: Set<string>}} Shown */

const LISTED = 60; // links in the panel before one asks for all

/**
 * Show what is selected.
 * @param {HTMLElement} where @param {Picture} picture @param {Shown} shown @param {import("./state.js").State} state
 * @param {string} key
 * @param {{go: (key: string) => void, expand: () => void, collapse: () => void, pin: () => void,
 *   nudge: (dx: number, dy: number) => void, from: () => void, to: (() => void)|null, said: (text: string) => void}} act
 */
export function details(where, picture, shown, state, key, act) {
  const node = picture.nodes.get(key);
  if (!node) return;
  const beside = neighbours(picture, shown, key);
  const pinned = key in state.pins;
  const expanded = state.expanded.some((one) => one.key === key && !one.keep);
  const move = (/** @type {string} */ text, /** @type {string} */ sign, /** @type {number} */ dx, /** @type {number} */ dy) =>
    button(sign, () => act.nudge(dx, dy), { "aria-label": `Move ${text}`, class: "quiet arrow", "data-act": text });
  fill(
    where,
    element("p", { class: "eyebrow" }, kindOf(node) + (node.year ? ` · ${node.year}` : "")),
    element("h3", {}, link(node)),
    node.reproduced ? element("p", { class: "note" }, node.reproduced) : null,
    element("p", { class: "note" }, capital(links(picture, shown, key)) + "."),
    element("div", { class: "acts-row" },
      expanded ? button("Collapse", act.collapse, { "data-act": "expand" }) : button("Expand", act.expand, { "data-act": "expand" }),
      button("Pin", act.pin, { "aria-pressed": String(pinned), "data-act": "pin" }),
      button("Path from here", act.from, { "data-act": "from" }),
      act.to ? button("Path to here", act.to, { "data-act": "to" }) : null),
    element("div", { class: "acts-row", role: "group", "aria-label": "Move this node" },
      element("span", { class: "note" }, "Move"), move("left", "←", -1, 0), move("right", "→", 1, 0),
      move("up", "↑", 0, -1), move("down", "↓", 0, 1)),
    list(picture, key, beside.slice(0, LISTED), act),
    beside.length > LISTED ? button(`Show all ${count(beside.length, "neighbour", "neighbours")}`, () =>
      where.querySelector(".neighbours")?.replaceWith(list(picture, key, beside, act))) : null,
  );
}

/**
 * @param {Picture} picture @param {string} key @param {{key: string, edges: Edge[]}[]} beside
 * @param {{go: (key: string) => void, said: (text: string) => void}} act
 */
function list(picture, key, beside, act) {
  return element("ul", { class: "neighbours", "aria-label": "Links of this node" }, ...beside.map(({ key: end, edges }) => {
    const node = /** @type {import("./api.js").Node} */ (picture.nodes.get(end));
    return element("li", {},
      element("button", { type: "button", class: "to", dir: "auto", on: () => act.go(end) }, node.label),
      element("span", { class: "note" }, ` ${kindOf(node).toLowerCase()}`),
      ...edges.map((edge) => openable(edge, key, node.label, act)));
  }));
}

/**
 * A reason with the evidence behind it.
 * @param {Edge} edge @param {string} key @param {string} label @param {{said: (text: string) => void}} act
 */
function openable(edge, key, label, act) {
  const details = element("details", { class: "reason-of" },
    element("summary", {}, role(edge, key), element("span", { class: "hidden" }, ` (${label}): show the evidence`)));
  details.addEventListener("toggle", () => {
    if (/** @type {HTMLDetailsElement} */ (details).open && details.children.length === 1) evidence(details, edge, act);
  });
  return details;
}

/**
 * Ask why there is an edge and show it.
 * @param {HTMLElement} where @param {Edge} edge @param {{said: (text: string) => void}} act
 */
export async function evidence(where, edge, act) {
  const waiting = element("p", { class: "note" }, "Asking the site …");
  where.append(waiting);
  try {
    const found = await api.why(edge);
    const more = (found.total || 0) - found.evidence.length;
    const listed = element("ul", { class: "plain evidence-of" }, ...found.evidence.map((/** @type {any} */ one) =>
      element("li", {}, safe(one.url) ? element("a", { href: safe(one.url), dir: "auto" }, one.text) : element("bdi", {}, one.text),
        one.source ? element("span", { class: "note" }, ` ${one.source}`) : null)));
    if (!found.evidence.length) listed.append(element("li", {}, found.reason));
    if (more > 0) listed.append(element("li", { class: "note" }, `and ${more.toLocaleString("en")} more`));
    waiting.replaceWith(listed);
    act.said(`Why: ${found.reason}. ${count(found.evidence.length, "piece", "pieces")} of evidence.`);
  } catch (error) {
    waiting.textContent = sentence(error);
    act.said(sentence(error));
  }
}

/**
 * Show one edge.
 * @param {HTMLElement} where @param {Picture} picture @param {Edge} edge
 * @param {{go: (key: string) => void, said: (text: string) => void}} act
 */
export function edgeDetails(where, picture, edge, act) {
  const end = (/** @type {string} */ key) => {
    const node = /** @type {import("./api.js").Node} */ (picture.nodes.get(key));
    return element("button", { type: "button", class: "to", dir: "auto", on: () => act.go(key) }, node.label);
  };
  const shownAt = element("div", {});
  fill(where, element("p", { class: "eyebrow" }, `Link: ${KIND_WORDS[edge.kind] || edge.kind}`),
    element("p", {}, end(edge.source), element("span", { class: "note" }, ` ${between(edge)} `), end(edge.target)), shownAt);
  evidence(shownAt, edge, act);
}

/**
 * Tell a path.
 * @param {HTMLElement} where @param {Picture} picture @param {() => void} clear @param {(key: string) => void} go
 */
export function pathWords(where, picture, clear, go) {
  if (!picture.path) {
    fill(where);
    return;
  }
  const steps = told(picture, picture.path.nodes, picture.path.edges);
  const to = (/** @type {import("./api.js").Node} */ node) =>
    element("button", { type: "button", class: "to", dir: "auto", on: () => go(node.key) }, node.label);
  fill(where, element("h3", {}, `Path of ${count(steps.length, "link", "links")}`),
    element("ol", { class: "path" }, ...steps.map((step) => element("li", {}, to(step.from),
      element("span", { class: "note" }, ` ${step.words} `), to(step.to)))),
    button("Remove the path", clear));
}
