// Elements made from data. Every text becomes a text node: nothing is ever parsed as HTML.

const SVG = "http://www.w3.org/2000/svg";

const given = new WeakMap(); // element → the attributes that it was given last

// Give an element its attributes in place of those that it was given before. Others stay: the user has opened a `details`.
function give(element, attributes) {
  const before = given.get(element) || {};
  given.set(element, attributes);
  for (const name of new Set([...Object.keys(before), ...Object.keys(attributes)])) {
    const value = attributes[name];
    if (name === "key" || value === before[name]) continue;
    if (typeof value === "function") element[`on${name}`] = value;
    else if (typeof before[name] === "function") element[`on${name}`] = null;
    else if (value === true) element.setAttribute(name, "");
    else if (value === false || value === null || value === undefined) element.removeAttribute(name);
    else element.setAttribute(name, value);
  }
}

function fill(element, attributes, children) {
  give(element, attributes || {});
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

// Return an element; an attribute whose value is a function listens to the event of that name. `key` is for `update`.
export function h(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

// Make nodes the children of an element. One that stays in its place is not touched: one that is moved loses the focus,
// the selection in it, its scroll position, and the click that has begun on it.
export function arrange(parent, nodes) {
  const kept = new Set(nodes);
  for (const node of [...parent.childNodes]) if (!kept.has(node)) node.remove();
  let place = parent.firstChild;
  for (const node of nodes) {
    if (node === place) place = place.nextSibling;
    else parent.insertBefore(node, place);
  }
}

// Make the children of an element equal to new ones. An old child that shows the same thing stays, and takes over the
// attributes, listeners and texts that differ. Of children with one tag, those with the same `key` are the same thing.
export function update(parent, children) {
  const old = new Map();
  for (const node of parent.childNodes) {
    const name = identify(node);
    if (!old.has(name)) old.set(name, []);
    old.get(name).push(node);
  }
  const nodes = children.map((child) => {
    const [node] = (old.get(identify(child)) || []).splice(0, 1);
    return node ? take(node, child) : child;
  });
  arrange(parent, nodes);
}

function identify(node) {
  const { key } = given.get(node) || {};
  return key === undefined ? node.nodeName : `${node.nodeName} ${key}`;
}

function take(node, next) {
  if (node.nodeType === Node.TEXT_NODE) setText(node, next.data);
  else {
    give(node, given.get(next));
    update(node, [...next.childNodes]);
  }
  return node;
}

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function showTime(at) {
  return (at || "").replace("T", " ").replace("Z", "").replace(".000", "");
}

export function count(number, noun) {
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
}

// Return a link, but only to a web page: a text that a cloud holds could be any other scheme.
export function linkTo(url) {
  return /^https:\/\//.test(url) ? h("a", { href: url, target: "_blank", rel: "noreferrer noopener" }, url) : url;
}

// Move the focus among the elements of a toolbar or tab list by the arrow keys, Home and End.
export function moveFocus(event, elements) {
  const at = elements.indexOf(document.activeElement);
  const to = { ArrowLeft: at - 1, ArrowUp: at - 1, ArrowRight: at + 1, ArrowDown: at + 1, Home: 0, End: -1 }[event.key];
  if (at < 0 || to === undefined) return null;
  event.preventDefault();
  const next = elements[(to + elements.length) % elements.length];
  next.focus();
  return next;
}
