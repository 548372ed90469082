// Elements made from data. Every text becomes a text node: nothing is ever parsed as HTML.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

// Return an element; an attribute whose value is a function listens to the event of that name.
export function h(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
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
