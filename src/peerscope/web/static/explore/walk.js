// The walk along links by keyboard. One stands at a node; left and right go round the neighbours of the node one
// came from, down goes on from here, up and Backspace go back. What is shown may change at any time.

import { neighbours } from "./model.js";

/** @typedef {import("./model.js").Picture} Picture @typedef {{nodes: Set<string>, edges: Set<string>}} Shown */

export class Walk {
  /** @param {string} centre */
  constructor(centre) {
    this.at = centre;
    this.trail = /** @type {string[]} */ ([]); // where one came from, the last one last
  }

  /** Jump to a node; the way there is forgotten, the node left is gone back to. @param {string} key */
  jump(key) {
    if (key === this.at) return;
    this.trail.push(this.at);
    if (this.trail.length > 100) this.trail.shift();
    this.at = key;
  }

  /** Leave what is shown no more. @param {Picture} picture @param {Shown} shown */
  settle(picture, shown) {
    this.trail = this.trail.filter((key) => shown.nodes.has(key));
    if (!shown.nodes.has(this.at)) this.at = this.trail.pop() || picture.centre;
  }

  /**
   * The next neighbour of the node one came from; of this one at the start.
   * @param {Picture} picture @param {Shown} shown @param {1|-1} turn
   * @returns {{place: number, of: number, base: string}|null} Which of how many, or null if there is none.
   */
  round(picture, shown, turn) {
    const base = this.trail.length ? this.trail[this.trail.length - 1] : this.at;
    const beside = neighbours(picture, shown, base).map((one) => one.key);
    if (!beside.length) return null;
    if (base === this.at) this.trail.push(base);
    const now = beside.indexOf(this.at);
    const next = now < 0 ? (turn > 0 ? 0 : beside.length - 1) : (now + turn + beside.length) % beside.length;
    this.at = beside[next];
    return { place: next + 1, of: beside.length, base };
  }

  /**
   * On from here, to the first neighbour that one did not come from.
   * @param {Picture} picture @param {Shown} shown
   */
  on(picture, shown) {
    const beside = neighbours(picture, shown, this.at).map((one) => one.key);
    const before = this.trail[this.trail.length - 1];
    const next = beside.findIndex((key) => key !== before);
    if (next < 0) return null;
    const base = this.at;
    this.trail.push(base);
    this.at = beside[next];
    return { place: next + 1, of: beside.length, base };
  }

  /** Back to where one came from; whether there was somewhere. */
  back() {
    const before = this.trail.pop();
    if (before === undefined) return false;
    this.at = before;
    return true;
  }
}
