// The canvas as a table: every node that is shown with its links, a hundred rows at a time.

import { button, element, fill, link } from "./dom.js";
import { neighbours } from "./model.js";
import { count, kindOf, role } from "./words.js";

/** @typedef {import("./model.js").Picture} Picture @typedef {{nodes: Set<string>, edges: Set<string>}} Shown */

const ROWS = 100;
const LINKS = 6;
const HEADS = /** @type {const} */ ([["label", "Name"], ["type", "Kind"], ["year", "Year"], ["links", "Neighbours"]]);

export class Table {
  /** @param {HTMLElement} where @param {(key: string) => void} select */
  constructor(where, select) {
    this.where = where;
    this.select = select;
    this.by = /** @type {"label"|"type"|"year"|"links"} */ ("links");
    this.down = true;
    this.rows = ROWS;
  }

  /** @param {Picture} picture @param {Shown} shown */
  show(picture, shown) {
    const rows = [...shown.nodes].map((key) => {
      const node = /** @type {import("./api.js").Node} */ (picture.nodes.get(key));
      return { node, beside: neighbours(picture, shown, key) };
    });
    rows.sort((one, two) => this.compare(one, two) || (one.node.key < two.node.key ? -1 : 1));
    const again = () => this.show(picture, shown);
    const heads = HEADS.map(([name, text]) => element(
      "th", { scope: "col", "aria-sort": this.by === name ? (this.down ? "descending" : "ascending") : null },
      button(text, () => {
        this.down = this.by === name ? !this.down : name === "links" || name === "year";
        this.by = name;
        again();
        /** @type {HTMLElement} */ (this.where.querySelector("[aria-sort] button")).focus();
      }, { class: "sort" })));
    const body = rows.slice(0, this.rows).map(({ node, beside }) => element("tr", {},
      element("th", { scope: "row" }, link(node)),
      element("td", {}, kindOf(node)),
      element("td", { class: "num" }, node.year === null ? "" : String(node.year)),
      element("td", {}, element("span", { class: "num" }, String(beside.length)), beside.length ? ": " : "",
        ...beside.slice(0, LINKS).flatMap(({ key, edges }, at) => [
          at ? "; " : "", element("bdi", {}, picture.nodes.get(key)?.label || key),
          element("span", { class: "note" }, ` (${edges.map((edge) => role(edge, node.key)).join(", ")})`)]),
        beside.length > LINKS ? ` and ${beside.length - LINKS} more` : ""),
      element("td", {}, button("Select", () => this.select(node.key), { "aria-label": `Select ${node.label}` }))));
    fill(this.where,
      element("table", {}, element("caption", { class: "hidden" }, "What is on the canvas"),
        element("thead", {}, element("tr", {}, ...heads, element("td", {}))), element("tbody", {}, ...body)),
      rows.length > this.rows ? button(`Show more of ${count(rows.length, "node", "nodes")}`, () => {
        this.rows += ROWS;
        again();
      }) : null);
  }

  /** @param {{node: any, beside: any[]}} one @param {{node: any, beside: any[]}} two */
  compare(one, two) {
    const value = (/** @type {{node: any, beside: any[]}} */ row) =>
      (this.by === "links" ? row.beside.length : this.by === "year" ? row.node.year ?? -1 : row.node[this.by]);
    const [a, b] = [value(one), value(two)];
    const order = typeof a === "string" ? a.localeCompare(b) : a - b;
    return this.down ? -order : order;
  }
}
