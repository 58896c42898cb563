// Builds SVG nodes, as elements.js builds those of HTML: text is only ever set as text.

const NAMESPACE = "http://www.w3.org/2000/svg";

/** @param {string} tag @param {object} attributes `text` sets the text @param {...Node} children */
export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS(NAMESPACE, tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") node.textContent = String(value);
    else if (value !== null && value !== undefined) node.setAttribute(name, String(value));
  }
  node.append(...children);
  return node;
}
