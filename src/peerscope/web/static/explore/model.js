// From a state to what is on the canvas: the first slice, then each expansion in order, then the path. The same
// state is always built in the same way, so an address that is shared shows the same picture.

import * as api from "./api.js";
import { placeAround, placeBetween, Room, spacing } from "./place.js";

/** @typedef {import("./api.js").Node} Node @typedef {import("./api.js").Edge} Edge */
/** @typedef {import("./state.js").State} State */

/**
 * @typedef {object} Picture
 * @property {string} centre
 * @property {Map<string, Node>} nodes
 * @property {Map<string, Edge>} edges
 * @property {Map<string, Edge[]>} around Edges of each node.
 * @property {Map<string, number>} brought How many nodes each expanded node brought.
 * @property {{nodes: string[], edges: Set<string>}|null} path
 * @property {string[]} notes Sentences about what is not there, and why.
 */

export const AT_ONCE = 40;
const USUAL_PATH = ["authored", "cites"]; // what a path goes along unless the reader hid it
const STEP = 8; // nodes on a path are few: more steps are refused by the site

/**
 * Build the picture of a state.
 * @param {string} centre @param {State} state
 * @returns {Promise<Picture>}
 */
export async function build(centre, state) {
  const first = await api.slice(centre, Math.min(state.size, state.most));
  const picture = /** @type {Picture} */ ({
    centre, nodes: new Map(), edges: new Map(), around: new Map(), brought: new Map(), path: null, notes: [],
  });
  const start = first.nodes.slice(0, state.most).map((node) => ({ ...node }));
  for (const node of start) picture.nodes.set(node.key, node);
  addEdges(picture, first.edges);
  const room = new Room(spacing(start.length), start);
  const pinned = new Set(Object.keys(state.pins));
  for (const [turn, { key, keep }] of state.expanded.entries()) {
    const later = new Set(state.expanded.slice(turn + 1).map((one) => one.key));
    const wanted = keep ? (/** @type {Node} */ node) => pinned.has(node.key) || later.has(node.key) : () => true;
    await expanded(picture, room, key, wanted, state);
  }
  if (state.path) await traced(picture, room, state, state.path);
  for (const [key, [x, y]] of Object.entries(state.pins)) {
    const node = picture.nodes.get(key);
    if (node) [node.x, node.y] = [x, y];
  }
  return picture;
}

/**
 * @param {Picture} picture @param {Room} room @param {string} key
 * @param {(node: Node) => boolean} wanted @param {State} state
 */
async function expanded(picture, room, key, wanted, state) {
  const parent = picture.nodes.get(key);
  if (!parent) return;
  const beside = new Set((picture.around.get(key) || []).flatMap((edge) => [edge.source, edge.target]));
  const known = [...new Set([key, ...beside, ...picture.nodes.keys()])];
  let found;
  try {
    found = await api.expand(key, known, AT_ONCE);
  } catch (error) {
    picture.notes.push(`“${parent.label}” could not be expanded. ${sentence(error)}`);
    return;
  }
  let fresh = found.nodes.filter((node) => !picture.nodes.has(node.key) && wanted(node));
  if (picture.nodes.size + fresh.length > state.most) {
    fresh = fresh.slice(0, Math.max(0, state.most - picture.nodes.size));
    picture.notes.push(`The canvas holds ${state.most.toLocaleString("en")} nodes at most, so not all neighbours came.`);
  }
  fresh = fresh.map((node) => ({ ...node, by: key }));
  placeAround(room, parent, fresh);
  for (const node of fresh) picture.nodes.set(node.key, node);
  picture.brought.set(key, fresh.length);
  addEdges(picture, found.edges);
}

/** @param {Picture} picture @param {Room} room @param {State} state @param {[string, string]} ends */
async function traced(picture, room, state, [from, to]) {
  let found;
  try {
    const along = USUAL_PATH.filter((kind) => !state.offKinds.includes(kind));
    found = await api.path(from, to, along.length === USUAL_PATH.length ? [] : along);
  } catch (error) {
    picture.notes.push(`No path is shown. ${sentence(error)}`);
    return;
  }
  if (!found.edges.length) {
    picture.notes.push(found.attributes.note || "No path was found.");
    return;
  }
  const order = chained(found, from);
  const at = new Map(found.nodes.map((node) => [node.key, node]));
  const missing = order.filter((key) => !picture.nodes.has(key));
  const ends = [from, to].map((key) => picture.nodes.get(key));
  const origin = ends[0] || ends[1] || { x: 0.5, y: 0.5 };
  // An end that is not on the canvas yet is put outside it, opposite to where the path begins.
  const away = { x: origin.x < 0.5 ? 1.15 : -0.15, y: 1 - origin.y };
  const fresh = missing.map((key) => ({ .../** @type {Node} */ (at.get(key)), by: null }));
  placeBetween(room, ends[0] || away, ends[1] || away, fresh);
  for (const node of fresh) picture.nodes.set(node.key, node);
  addEdges(picture, found.edges);
  picture.path = { nodes: order, edges: new Set(found.edges.map((edge) => edge.key)) };
}

/** Keys of a path's nodes in order. @param {import("./api.js").Part} found @param {string} from */
function chained(found, from) {
  const order = [from];
  const left = [...found.edges];
  while (left.length && order.length < found.edges.length + STEP) {
    const here = order[order.length - 1];
    const next = left.findIndex((edge) => edge.source === here || edge.target === here);
    if (next < 0) break;
    const [edge] = left.splice(next, 1);
    order.push(edge.source === here ? edge.target : edge.source);
  }
  return order;
}

/** Add the edges both of whose ends are there, each once. @param {Picture} picture @param {Edge[]} edges */
function addEdges(picture, edges) {
  for (const edge of edges) {
    if (picture.edges.has(edge.key) || !picture.nodes.has(edge.source) || !picture.nodes.has(edge.target)) continue;
    picture.edges.set(edge.key, edge);
    for (const end of [edge.source, edge.target]) {
      const beside = picture.around.get(end);
      if (beside) beside.push(edge);
      else picture.around.set(end, [edge]);
    }
  }
}

/** @param {unknown} error */
export const sentence = (error) => (error instanceof api.Refused ? error.message : "Something went wrong on this page.");

/**
 * What the filters leave. Pinned nodes, the centre and the path stay.
 * @param {Picture} picture @param {State} state
 * @returns {{nodes: Set<string>, edges: Set<string>}}
 */
export function visible(picture, state) {
  const [from, to] = state.years;
  const stay = new Set([picture.centre, ...Object.keys(state.pins), ...(picture.path ? picture.path.nodes : [])]);
  const nodes = new Set();
  for (const node of picture.nodes.values()) {
    const dated = (from === null && to === null) || node.type !== "work"
      || (node.year !== null && (from === null || node.year >= from) && (to === null || node.year <= to));
    if (stay.has(node.key) || (dated && !state.offTypes.includes(node.type))) nodes.add(node.key);
  }
  const edges = new Set();
  for (const edge of picture.edges.values()) {
    const shown = !state.offKinds.includes(edge.kind) || (picture.path && picture.path.edges.has(edge.key));
    if (shown && nodes.has(edge.source) && nodes.has(edge.target)) edges.add(edge.key);
  }
  return { nodes, edges };
}

/** The other end of an edge. @param {Edge} edge @param {string} key */
export const other = (edge, key) => (edge.source === key ? edge.target : edge.source);

/**
 * Neighbours of a node that are shown, the most strongly joined first, each with its edges.
 * @param {Picture} picture @param {{edges: Set<string>}} shown @param {string} key
 * @returns {{key: string, edges: Edge[]}[]}
 */
export function neighbours(picture, shown, key) {
  const found = new Map();
  for (const edge of picture.around.get(key) || []) {
    if (!shown.edges.has(edge.key)) continue;
    const end = other(edge, key);
    if (found.has(end)) found.get(end).push(edge);
    else found.set(end, [edge]);
  }
  const weight = (/** @type {Edge[]} */ edges) => Math.max(...edges.map((edge) => edge.weight));
  return [...found].map(([end, edges]) => ({ key: end, edges })).sort((one, two) =>
    weight(two.edges) - weight(one.edges) || (one.key < two.key ? -1 : 1));
}
