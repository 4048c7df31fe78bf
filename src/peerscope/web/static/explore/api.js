// What the explorer asks of the site, each answer once.

/**
 * @typedef {object} Node
 * @property {string} key @property {string} label @property {string} type @property {number|null} year
 * @property {number} x @property {number} y @property {number} size @property {string} url
 * @property {string} reproduced What attempts found of a work's claims; empty where none ran.
 * @property {string|null} by The expanded node that brought it; null in the first slice.
 *
 * @typedef {object} Edge
 * @property {string} key @property {string} source @property {string} target @property {boolean} undirected
 * @property {string} kind @property {number} weight @property {string} reason
 *
 * @typedef {{nodes: Node[], edges: Edge[], truncated: boolean, attributes: Object<string, any>}} Part
 */

/** A question the site refused or could not answer; the message is a sentence for the reader. */
export class Refused extends Error {}

const GRAPH = "/api/v1/graph";
const LONGEST_KNOWN = 7000; // characters: servers in front of a site often allow a line of 8,000

/** @type {Map<string, Promise<any>>} */
const kept = new Map();

/**
 * A JSON answer, asked once for each address.
 * @param {string} address
 */
async function asked(address) {
  if (!kept.has(address)) kept.set(address, fetched(address));
  try {
    return await kept.get(address);
  } catch (error) {
    kept.delete(address);
    throw error;
  }
}

/** @param {string} address */
async function fetched(address) {
  let answer;
  try {
    answer = await fetch(address, { headers: { Accept: "application/json" } });
  } catch {
    throw new Refused("The site could not be reached. Try again when there is a connection.");
  }
  const content = await answer.json().catch(() => null);
  if (!answer.ok || content === null) {
    throw new Refused((content && content.detail) || `The site answered with an error (${answer.status}).`);
  }
  return content;
}

/** @param {any} found An answer in graphology's form. @returns {Part} */
function part(found) {
  return {
    attributes: found.attributes || {},
    truncated: Boolean(found.attributes && found.attributes.truncated),
    nodes: found.nodes.map((/** @type {any} */ one) => ({
      key: one.key, label: String(one.attributes.label), type: one.attributes.type,
      year: one.attributes.year ?? null, x: Number(one.attributes.x) || 0, y: Number(one.attributes.y) || 0,
      size: Number(one.attributes.size) || 0, url: one.attributes.url, by: null,
      reproduced: one.attributes.reproduced || "",
    })),
    edges: found.edges.map((/** @type {any} */ one) => ({
      key: one.key, source: one.source, target: one.target, undirected: Boolean(one.undirected),
      kind: one.attributes.kind, weight: Number(one.attributes.weight) || 0, reason: String(one.attributes.reason),
    })),
  };
}

/** The slice around an entity. @param {string} centre @param {number} limit */
export const slice = async (centre, limit) => part(await asked(`${GRAPH}/${centre}?limit=${limit}`));

/**
 * Neighbours of a node that are not on the canvas, and the edges that join them to what is.
 * @param {string} key @param {string[]} known Keys on the canvas, those that matter most first.
 * @param {number} limit
 */
export async function expand(key, known, limit) {
  let list = "";
  for (const one of known) {
    if (list.length + one.length + 1 > LONGEST_KNOWN) break;
    list += (list && ",") + one;
  }
  return part(await asked(`${GRAPH}/${key}/expand?limit=${limit}&known=${list}`));
}

/** The shortest path between two nodes. @param {string} from @param {string} to @param {string[]} kinds */
export async function path(from, to, kinds) {
  const only = kinds.length ? `&kinds=${kinds.join(",")}` : "";
  return part(await asked(`${GRAPH}/path?from=${from}&to=${to}${only}`));
}

/** Why there is an edge. @param {Edge} edge */
export const why = (edge) => asked(
  `${GRAPH}/edge?source=${edge.source}&target=${edge.target}&kind=${encodeURIComponent(edge.kind)}`);

/** Entities whose name holds some words. @param {string} words @returns {Promise<{key: string, label: string, type: string}[]>} */
export async function find(words) {
  const found = await asked(`${GRAPH}/find?q=${encodeURIComponent(words)}`);
  return found.results;
}
