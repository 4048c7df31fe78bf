// The canvas as files: JSON (graphology's serialisation), GraphML, GEXF, SVG, and PNG made from the SVG. Pure
// functions of what is shown; labels are escaped wherever they enter markup.

/** @typedef {import("./model.js").Picture} Picture @typedef {import("./api.js").Node} Node @typedef {import("./api.js").Edge} Edge */
/** @typedef {{nodes: Set<string>, edges: Set<string>}} Shown */

/** @param {string} text What XML 1.0 cannot hold is left out. */
export function escaped(text) {
  return text.replace(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, "")
    .replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/"/g, "&quot;");
}

/** @param {Picture} picture @param {Shown} shown @returns {{nodes: Node[], edges: Edge[]}} */
function parts(picture, shown) {
  return {
    nodes: [...picture.nodes.values()].filter((node) => shown.nodes.has(node.key)),
    edges: [...picture.edges.values()].filter((edge) => shown.edges.has(edge.key)),
  };
}

/** @param {Picture} picture @param {Shown} shown @param {string} address */
export function json(picture, shown, address) {
  const { nodes, edges } = parts(picture, shown);
  return JSON.stringify({
    attributes: { centre: picture.centre, address },
    options: { type: "mixed", multi: true },
    nodes: nodes.map(({ key, label, type, year, x, y, size, url }) => ({ key, attributes: { label, type, year, x, y, size, url } })),
    edges: edges.map(({ key, source, target, undirected, kind, weight, reason }) => (
      { key, source, target, undirected, attributes: { kind, weight, reason } })),
  }, null, 1);
}

const NODE_KEYS = [["label", "string"], ["type", "string"], ["year", "int"], ["x", "double"], ["y", "double"], ["size", "double"]];
// Readers of GraphML and GEXF refuse a graph some of whose edges have no direction, so it is told as a value.
const EDGE_KEYS = [["kind", "string"], ["weight", "double"], ["reason", "string"], ["undirected", "boolean"]];

/** @param {Picture} picture @param {Shown} shown */
export function graphml(picture, shown) {
  const { nodes, edges } = parts(picture, shown);
  const keys = [["node", NODE_KEYS], ["edge", EDGE_KEYS]].flatMap(([end, names]) => /** @type {string[][]} */ (names).map(
    ([name, type]) => `<key id="${end}-${name}" for="${end}" attr.name="${name}" attr.type="${type}"/>`));
  const data = (/** @type {string} */ end, /** @type {any} */ one, /** @type {string[][]} */ names) => names
    .filter(([name]) => one[name] !== null).map(([name]) => `<data key="${end}-${name}">${escaped(String(one[name]))}</data>`).join("");
  return ['<?xml version="1.0" encoding="UTF-8"?>', '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">', ...keys,
    '<graph id="canvas" edgedefault="directed">',
    ...nodes.map((node) => `<node id="${node.key}">${data("node", node, NODE_KEYS)}</node>`),
    ...edges.map((edge) => `<edge id="${escaped(edge.key)}" source="${edge.source}" target="${edge.target}">`
      + `${data("edge", edge, EDGE_KEYS)}</edge>`),
    "</graph>", "</graphml>", ""].join("\n");
}

/** @param {Picture} picture @param {Shown} shown */
export function gexf(picture, shown) {
  const { nodes, edges } = parts(picture, shown);
  return ['<?xml version="1.0" encoding="UTF-8"?>',
    '<gexf xmlns="http://gexf.net/1.3" xmlns:viz="http://gexf.net/1.3/viz" version="1.3">',
    '<graph defaultedgetype="directed" mode="static">',
    '<attributes class="node"><attribute id="type" title="type" type="string"/><attribute id="year" title="year" type="integer"/></attributes>',
    '<attributes class="edge"><attribute id="reason" title="reason" type="string"/><attribute id="undirected" title="undirected" type="boolean"/></attributes>', "<nodes>",
    ...nodes.map((node) => `<node id="${node.key}" label="${escaped(node.label)}"><attvalues><attvalue for="type" value="${escaped(node.type)}"/>`
      + `${node.year === null ? "" : `<attvalue for="year" value="${node.year}"/>`}</attvalues>`
      + `<viz:position x="${1000 * node.x}" y="${-1000 * node.y}"/><viz:size value="${4 + 6 * node.size}"/></node>`),
    "</nodes>", "<edges>",
    ...edges.map((edge) => `<edge id="${escaped(edge.key)}" source="${edge.source}" target="${edge.target}" weight="${edge.weight}"`
      + ` kind="${escaped(edge.kind)}"><attvalues><attvalue for="reason" value="${escaped(edge.reason)}"/>`
      + `<attvalue for="undirected" value="${edge.undirected}"/></attvalues></edge>`),
    "</edges>", "</graph>", "</gexf>", ""].join("\n");
}

/** @param {string} type @param {number} x @param {number} y @param {number} r */
function shape(type, x, y, r) {
  const at = (/** @type {number[][]} */ points) => `<path d="M${points.map(([dx, dy]) => `${fixed(x + dx * r)} ${fixed(y + dy * r)}`).join("L")}z"/>`;
  if (type === "person") return `<circle cx="${fixed(x)}" cy="${fixed(y)}" r="${fixed(r)}"/>`;
  if (type === "work") return `<rect x="${fixed(x - r)}" y="${fixed(y - r)}" width="${fixed(2 * r)}" height="${fixed(2 * r)}" rx="1.5"/>`;
  if (type === "topic") return at([[0, -1.3], [1.3, 0], [0, 1.3], [-1.3, 0]]);
  if (type === "institution") return at([[-1, 0], [-0.5, -1], [0.5, -1], [1, 0], [0.5, 1], [-0.5, 1]]);
  return at([[0, -1.2], [1, 1], [-1, 1]]);
}

/** @param {number} number */
const fixed = (number) => String(Math.round(number * 10) / 10);
const LETTER = /** @type {Object<string, string>} */ ({ work: "w", person: "a", topic: "t", institution: "i", venue: "s" });

/**
 * A picture that stands alone, in the colours given.
 * @param {Picture} picture @param {Shown} shown @param {Object<string, string>} colours @param {string} title
 */
export function svg(picture, shown, colours, title) {
  const { nodes, edges } = parts(picture, shown);
  const [xs, ys] = [nodes.map((node) => 1450 * node.x), nodes.map((node) => 1000 * node.y)];
  const low = (/** @type {number[]} */ all) => all.reduce((least, one) => Math.min(least, one), Infinity);
  const high = (/** @type {number[]} */ all) => all.reduce((most, one) => Math.max(most, one), -Infinity);
  const [left, top] = [low(xs) - 60, low(ys) - 40];
  const [width, height] = [high(xs) - left + 220, high(ys) - top + 40];
  const place = new Map(nodes.map((node, at) => [node.key, [xs[at] - left, ys[at] - top]]));
  const line = (/** @type {Edge} */ edge) => {
    const [[x1, y1], [x2, y2]] = [edge.source, edge.target].map((key) => /** @type {number[]} */ (place.get(key)));
    const marked = picture.path && picture.path.edges.has(edge.key);
    return `<path class="${marked ? "path" : escaped(edge.kind)}" d="M${fixed(x1)} ${fixed(y1)}L${fixed(x2)} ${fixed(y2)}"/>`;
  };
  const dot = (/** @type {Node} */ node) => {
    const [x, y] = /** @type {number[]} */ (place.get(node.key));
    const r = 4 + 6 * node.size;
    const text = node.label.length > 40 ? node.label.slice(0, 39).trimEnd() + "…" : node.label;
    return `<g class="${LETTER[node.type] || "s"}"><title>${escaped(node.label)}</title>${shape(node.type, x, y, r)}`
      + `${nodes.length <= 150 || node.size > 0.6 ? `<text x="${fixed(x + r + 4)}" y="${fixed(y + 4)}">${escaped(text)}</text>` : ""}</g>`;
  };
  const fills = Object.values(LETTER).map((letter) => `.${letter}{fill:${colours[letter]}}`).join("");
  return [`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${fixed(width)} ${fixed(height)}" width="${fixed(width)}" height="${fixed(height)}">`,
    `<title>${escaped(title)}</title>`,
    `<style>path{stroke:${colours.edge};fill:none}.path{stroke:${colours.accent};stroke-width:4}.near,.topic,.same_topic,.published,.cocited{stroke-dasharray:4 4}`
      + `g>*{stroke:${colours.sheet};stroke-width:1.2}${fills}text{fill:${colours.ink};font:12px sans-serif;paint-order:stroke;stroke-width:3}</style>`,
    `<rect width="100%" height="100%" fill="${colours.sheet}"/>`, ...edges.map(line), ...nodes.map(dot), "</svg>", ""].join("\n");
}

/** The SVG as PNG. @param {string} drawing @returns {Promise<Blob>} */
export async function png(drawing) {
  const image = new Image();
  image.src = "data:image/svg+xml;charset=utf-8," + encodeURIComponent(drawing);
  await image.decode();
  const canvas = document.createElement("canvas");
  const scale = Math.min(2, 8000 / Math.max(image.naturalWidth, image.naturalHeight));
  [canvas.width, canvas.height] = [image.naturalWidth * scale, image.naturalHeight * scale];
  /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d")).drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve, reject) => canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("no picture")))));
}

/** Hand a file to the reader. @param {string} name @param {Blob} content */
export function save(name, content) {
  const address = URL.createObjectURL(content);
  const anchor = document.createElement("a");
  anchor.href = address;
  anchor.download = name;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
