// Lineage lines between cards: an SVG layer over the board, for the eye only. The panel lists the same relations.

import { svg } from "./dom.js";

const GAP = 18; // how far a line between cards of one column bends outwards

function curve(from, to) {
  const x = (box, right) => (right ? box.right : box.left);
  const y = (box) => box.top + box.height / 2;
  if (Math.abs(from.left - to.left) < 4) {
    const out = Math.min(GAP, 6 + Math.abs(y(from) - y(to)) / 12);
    return `M ${from.left} ${y(from)} C ${from.left - out} ${y(from)}, ${to.left - out} ${y(to)}, ${to.left - 3} ${y(to)}`;
  }
  const rightwards = from.left < to.left;
  const [x1, x2] = [x(from, rightwards), x(to, !rightwards) + (rightwards ? -3 : 3)];
  const bend = Math.max(24, Math.abs(x2 - x1) / 2) * (rightwards ? 1 : -1);
  return `M ${x1} ${y(from)} C ${x1 + bend} ${y(from)}, ${x2 - bend} ${y(to)}, ${x2} ${y(to)}`;
}

// Draw the edges whose two cards are on the board. `find` returns the element of a card, or undefined.
export function drawLines(layer, area, edges, find, isStrong) {
  const origin = area.getBoundingClientRect();
  const boxes = new Map();
  const place = (id) => {
    if (!boxes.has(id)) {
      const element = find(id);
      const box = element && element.getBoundingClientRect();
      boxes.set(
        id,
        box && {
          left: box.left - origin.left,
          right: box.right - origin.left,
          top: box.top - origin.top,
          height: box.height,
        },
      );
    }
    return boxes.get(id);
  };
  const paths = [];
  for (const [parent, child] of edges) {
    const [from, to] = [place(parent), place(child)];
    if (from && to) {
      const strong = isStrong(parent, child);
      const kind = strong ? "strong" : "faint";
      paths.push(svg("path", { d: curve(from, to), class: kind, "marker-end": `url(#arrow-${kind})` }));
    }
  }
  layer.setAttribute("width", area.offsetWidth); // not scrollWidth: that includes the layer, which would never shrink
  layer.setAttribute("height", area.offsetHeight);
  const arrows = ["strong", "faint"].map((kind) =>
    svg(
      "marker",
      { id: `arrow-${kind}`, class: kind, viewBox: "0 0 6 6", refX: 5, refY: 3, markerWidth: 8, markerHeight: 8, markerUnits: "userSpaceOnUse", orient: "auto" },
      svg("path", { d: "M 0 0 L 6 3 L 0 6 z" }),
    ),
  );
  layer.replaceChildren(svg("defs", null, ...arrows), ...paths);
}
