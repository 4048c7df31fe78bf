// The graph in words, for the live region, the panel and the table.

import { neighbours } from "./model.js";

/** @typedef {import("./api.js").Node} Node @typedef {import("./api.js").Edge} Edge @typedef {import("./model.js").Picture} Picture */

export const TYPE_WORDS = /** @type {Object<string, [string, string]>} */ ({
  work: ["Work", "works"], person: ["Person", "people"], topic: ["Topic", "topics"],
  institution: ["Institution", "institutions"], venue: ["Venue", "venues"],
});

export const KIND_WORDS = /** @type {Object<string, string>} */ ({
  authored: "wrote", coauthor: "wrote together", cites: "cites", cocited: "cited together", topic: "on a topic",
  same_topic: "on the same topic", affiliated: "at an institution", published: "in a venue",
  near: "near in meaning", reviewed: "reviewed", reproduced: "reproduced",
});

/** Noun of what stands at the other end of an edge: by kind and by which end one is at. */
const ENDS = /** @type {Object<string, {from: [string, string], to: [string, string]}>} */ ({
  authored: { from: ["work", "works"], to: ["author", "authors"] },
  coauthor: { from: ["coauthor", "coauthors"], to: ["coauthor", "coauthors"] },
  cites: { from: ["cited work", "cited works"], to: ["citing work", "citing works"] },
  cocited: { from: ["work cited with it", "works cited with it"], to: ["work cited with it", "works cited with it"] },
  topic: { from: ["topic", "topics"], to: ["work", "works"] },
  same_topic: { from: ["on the same topic", "on the same topic"], to: ["on the same topic", "on the same topic"] },
  affiliated: { from: ["institution", "institutions"], to: ["person", "people"] },
  published: { from: ["venue", "venues"], to: ["work", "works"] },
  near: { from: ["near in meaning", "near in meaning"], to: ["near in meaning", "near in meaning"] },
  reviewed: { from: ["reviewed work", "reviewed works"], to: ["reviewer", "reviewers"] },
  reproduced: { from: ["reproduced work", "reproduced works"], to: ["reproducer", "reproducers"] },
});

/** A directed edge between the names of its ends. */
const VERBS = /** @type {Object<string, string>} */ ({
  authored: "is an author of", cites: "cites", topic: "is about", affiliated: "is affiliated with",
  published: "was published in", reviewed: "reviewed", reproduced: "ran the claims of",
});

/** What stands between the names of an edge's ends. @param {Edge} edge */
export const between = (edge) => VERBS[edge.kind] || `– ${edge.reason} –`;

/** What an edge says of the neighbour, where its reason alone reads from the other end. */
const ROLES = /** @type {Object<string, [string, string]>} */ ({
  authored: ["written by this person", "author of this work"], cites: ["cited by this work", "cites this work"],
  published: ["published there", "published here"],
});

/** What an edge says of the neighbour. @param {Edge} edge @param {string} key The node one is at. */
export const role = (edge, key) => (ROLES[edge.kind] ? ROLES[edge.kind][edge.source === key ? 0 : 1] : edge.reason);

/** @param {number} number @param {string} one @param {string} many */
export const count = (number, one, many) => `${number.toLocaleString("en")} ${number === 1 ? one : many}`;

/** @param {Node} node */
export const kindOf = (node) => (TYPE_WORDS[node.type] || [node.type])[0];

/** “Work”, its name and year. @param {Node} node */
export const named = (node) => `${kindOf(node)} “${node.label}”${node.year ? `, ${node.year}` : ""}`;

/**
 * Links of a node counted by what stands at the other end: “4 links: 2 authors, 2 topics”.
 * @param {Picture} picture @param {{edges: Set<string>}} shown @param {string} key
 */
export function links(picture, shown, key) {
  const edges = (picture.around.get(key) || []).filter((edge) => shown.edges.has(edge.key));
  if (!edges.length) return "no links shown";
  const counts = /** @type {Map<string, [number, [string, string]]>} */ (new Map());
  for (const edge of edges) {
    const ends = ENDS[edge.kind];
    const nouns = ends ? ends[edge.source === key ? "from" : "to"] : /** @type {[string, string]} */ ([edge.kind, edge.kind]);
    counts.set(nouns[0], [(counts.get(nouns[0]) || [0])[0] + 1, nouns]);
  }
  const parts = [...counts.values()].sort((one, two) => two[0] - one[0]);
  return `${count(edges.length, "link", "links")}: ${parts.map(([n, [one, many]]) => count(n, one, many)).join(", ")}`;
}

/**
 * A node as the walk says it.
 * @param {Picture} picture @param {{edges: Set<string>}} shown @param {string} key
 */
export function spoken(picture, shown, key) {
  const node = /** @type {Node} */ (picture.nodes.get(key));
  return `${named(node)}. ${capital(links(picture, shown, key))}.`;
}

/** A path, link by link, each with the words between the two names. @param {Picture} picture @param {string[]} order @param {Set<string>} edges */
export function told(picture, order, edges) {
  const steps = [];
  for (let at = 1; at < order.length; at += 1) {
    const [from, to] = [order[at - 1], order[at]];
    const edge = (picture.around.get(from) || []).find(
      (one) => edges.has(one.key) && (one.source === to || one.target === to));
    // A reason reads from source to target, whichever way the path goes.
    const [one, two] = (edge ? [edge.source, edge.target] : [from, to]).map(
      (key) => /** @type {Node} */ (picture.nodes.get(key)));
    steps.push({ from: one, to: two, words: edge ? between(edge) : "" });
  }
  return steps;
}

/** What is on the canvas. @param {Picture} picture @param {{nodes: Set<string>, edges: Set<string>}} shown */
export function summary(picture, shown) {
  const hidden = picture.nodes.size - shown.nodes.size;
  return `${count(shown.nodes.size, "node", "nodes")}, ${count(shown.edges.size, "link", "links")}`
    + (hidden ? `; ${count(hidden, "node is", "nodes are")} filtered out` : "");
}

/** @param {string} text */
export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** How many neighbours of a node are shown. @param {Picture} picture @param {{edges: Set<string>}} shown @param {string} key */
export const degree = (picture, shown, key) => neighbours(picture, shown, key).length;
