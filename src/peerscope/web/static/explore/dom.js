// Small helpers to make elements. Text from the record is always text here, never HTML.

/**
 * An element with attributes and children; `on` holds a listener for clicks.
 * @param {string} name @param {Object<string, any>} [attributes] @param {...(Node|string|null)} children
 * @returns {HTMLElement}
 */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "on") made.addEventListener("click", value);
    else made.setAttribute(key, value === true ? "" : String(value));
  }
  made.append(...children.filter((child) => child !== null).map((child) => /** @type {Node|string} */ (child)));
  return made;
}

/** A quiet button. @param {string} text @param {() => void} on @param {Object<string, any>} [attributes] */
export const button = (text, on, attributes = {}) =>
  element("button", { type: "button", class: "quiet", on, ...attributes }, text);

/** A link to the page of an entity; only addresses of this site. @param {{label: string, url: string}} node */
export const link = (node) => element("a", { href: safe(node.url), dir: "auto" }, node.label);

/** An address if it leads to this site or to the web, else none. @param {string} url */
export function safe(url) {
  return /^(?:\/(?!\/)|https?:\/\/)/.test(url || "") ? url : null;
}

/** @param {string} id @returns {HTMLElement} */
export const part = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** @param {HTMLElement} where @param {...(Node|string|null)} children */
export function fill(where, ...children) {
  where.replaceChildren(...children.filter((child) => child !== null).map((child) => /** @type {Node|string} */ (child)));
}
