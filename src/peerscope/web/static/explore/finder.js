// Finding by name: first what is on the canvas, then what else the site has.

import * as api from "./api.js";
import { button, element, fill } from "./dom.js";
import { sentence } from "./model.js";
import { count, kindOf, TYPE_WORDS } from "./words.js";

const HERE = 8;
const WAIT = 250; // milliseconds without a key before the site is asked

/**
 * Let a field find.
 * @param {HTMLInputElement} field @param {HTMLElement} list
 * @param {{picture: () => import("./model.js").Picture, go: (key: string) => void, to: (key: string) => void,
 *   leave: () => void, said: (text: string) => void}} act
 */
export function listen(field, list, act) {
  let waiting = 0;
  let turn = 0;
  const search = async () => {
    const words = field.value.trim();
    turn += 1;
    const mine = turn;
    if (!words) {
      fill(list);
      return;
    }
    const here = matching(act.picture(), words);
    fill(list, ...here.map((node) => row(node, act)));
    let elsewhere = /** @type {{key: string, label: string, type: string}[]} */ ([]);
    try {
      const on = act.picture().nodes;
      elsewhere = (await api.find(words)).filter((one) => !on.has(one.key));
    } catch (error) {
      if (mine === turn) list.append(element("li", { class: "note" }, sentence(error)));
    }
    if (mine !== turn) return;
    list.append(...elsewhere.map((one) => away(one, act)));
    if (!list.children.length) list.append(element("li", { class: "note" }, "Nothing of this name is in the record."));
    act.said(`${count(here.length, "node", "nodes")} on the canvas, ${elsewhere.length} elsewhere in the record.`);
  };
  field.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(search, WAIT);
  });
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter") {
      event.preventDefault();
      const [first] = matching(act.picture(), field.value.trim());
      if (first) act.go(first.key);
      else search();
    } else if (event.key === "Escape") {
      act.leave();
    }
  });
}

/** Nodes whose name holds all the words. @param {import("./model.js").Picture} picture @param {string} words */
export function matching(picture, words) {
  const parts = folded(words).split(/\s+/).filter(Boolean);
  if (!parts.length) return [];
  const found = [...picture.nodes.values()].filter((node) => {
    const name = folded(node.label);
    return parts.every((part) => name.includes(part));
  });
  return found.sort((one, two) => two.size - one.size || (one.key < two.key ? -1 : 1)).slice(0, HERE);
}

/** @param {string} text */
const folded = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

/** @param {import("./api.js").Node} node @param {any} act */
const row = (node, act) => element("li", {},
  element("button", { type: "button", class: "to", dir: "auto", on: () => act.go(node.key) }, node.label),
  element("span", { class: "note" }, ` ${kindOf(node).toLowerCase()}, on the canvas`));

/** @param {{key: string, label: string, type: string}} one @param {any} act */
const away = (one, act) => element("li", {},
  element("a", { href: `/explore?centre=${encodeURIComponent(one.key)}`, dir: "auto" }, one.label),
  element("span", { class: "note" }, ` ${(TYPE_WORDS[one.type] || [one.type])[0].toLowerCase()} `),
  button("Path to it", () => act.to(one.key), { "aria-label": `Path from the selected node to ${one.label}` }));
