// Builds DOM nodes. Text is only ever set as text, so a sensor id can hold any characters.

/**
 * @param {string} tag
 * @param {Object<string, string|number|boolean|EventListener|null|undefined>} attributes
 *   `text` sets the text, a function is added as a listener, false/null leaves an attribute out.
 * @param {...Node} children
 * @returns {HTMLElement}
 */
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name === "text") node.textContent = String(value);
    else if (typeof value === "function") node.addEventListener(name, value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children);
  return node;
}

/** Sets the text only where it differs: an unchanged row then costs no layout. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Sets an attribute only where it differs. */
export function setAttribute(node, name, value) {
  if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}
