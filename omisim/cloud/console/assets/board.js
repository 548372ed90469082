// The board: a column for each account, grouped by Region, with the cards of its resources by kind.

import { arrange, h, setText, svg } from "./dom.js";
import { drawLines } from "./lines.js";

const PAGE = 40; // cards of a group that are shown at first
const MORE = 300; // and added at a time
const MAX_LINES = 150; // with more cards than this, only the lines of the selected card are drawn
const ALWAYS = ["image", "vm", "volume", "snapshot"];
const FIRST_KINDS = [...ALWAYS, "image_export", "snapshot_export"];

export class Board {
  constructor(model, onSelect) {
    this.model = model;
    this.onSelect = onSelect;
    this.selected = null;
    this.query = "";
    this.kinds = new Set(FIRST_KINDS);
    this.withDeleted = false;
    this.cards = new Map(); // id → its element on the board
    this.regions = new Map(); // region → the elements of its section
    this.columns = new Map(); // account → its column, with its groups by kind: their elements, and what they show
    this.layer = svg("svg", { class: "lines", "aria-hidden": "true", focusable: "false" });
    this.area = h("div", { class: "area" });
    this.empty = h("p", { class: "empty" });
    this.element = h("section", { class: "board", "aria-label": "Resources", keydown: (event) => this.move(event) });
    this.element.append(this.area, this.empty);
    this.area.append(this.layer);
    this.filters = this.makeFilters();
    new ResizeObserver(() => this.draw()).observe(this.area);
  }

  makeFilters() {
    this.search = h("input", {
      type: "search",
      placeholder: "Find a name or id",
      "aria-label": "Find a resource",
      input: () => {
        this.query = this.search.value.trim().toLowerCase();
        this.render();
      },
    });
    this.chips = new Map(
      this.model.view.kinds.map(([kind, title]) => {
        const number = h("span", { class: "number" });
        const chip = h("button", { type: "button", class: "chip", "aria-pressed": this.kinds.has(kind) ? "true" : "false" }, `${title}s `, number);
        chip.addEventListener("click", () => {
          if (!this.kinds.delete(kind)) this.kinds.add(kind);
          chip.setAttribute("aria-pressed", this.kinds.has(kind) ? "true" : "false");
          this.render();
        });
        return [kind, { chip, number }];
      }),
    );
    const deleted = h("button", { type: "button", class: "chip", "aria-pressed": "false" }, "Deleted");
    deleted.addEventListener("click", () => {
      this.withDeleted = !this.withDeleted;
      deleted.setAttribute("aria-pressed", this.withDeleted ? "true" : "false");
      this.render();
    });
    return h(
      "div",
      { class: "filters" },
      this.search,
      h("div", { class: "chips", role: "group", "aria-label": "Kinds to show" }, ...[...this.chips.values()].map(({ chip }) => chip), deleted),
    );
  }

  matches(id, card) {
    if (card.deleted && !this.withDeleted && id !== this.selected) return false;
    if (!this.kinds.has(card.kind) && id !== this.selected) return false;
    return !this.query || `${id} ${card.name || ""} ${card.line || ""} ${card.state || ""}`.toLowerCase().includes(this.query);
  }

  // account → kind → ids, in the order of creation
  sort() {
    const sorted = new Map();
    const totals = new Map();
    const order = this.model.order;
    const ids = [...this.model.cards.keys()].sort((one, other) => order.get(one) - order.get(other));
    for (const id of ids) {
      const card = this.model.cards.get(id);
      if (!card.deleted) totals.set(card.kind, (totals.get(card.kind) || 0) + 1);
      if (!this.matches(id, card)) continue;
      if (!sorted.has(card.account)) sorted.set(card.account, new Map());
      const kinds = sorted.get(card.account);
      if (!kinds.has(card.kind)) kinds.set(card.kind, []);
      kinds.get(card.kind).push(id);
    }
    for (const [kind, { chip, number }] of this.chips) {
      setText(number, (totals.get(kind) || 0).toLocaleString("en"));
      chip.hidden = !totals.has(kind) && !ALWAYS.includes(kind);
    }
    return sorted;
  }

  render() {
    const sorted = this.sort();
    this.renderColumns(sorted);
    this.cards.clear();
    for (const [account, column] of this.columns) {
      const kinds = sorted.get(account) || new Map();
      for (const kind of kinds.keys()) if (!column.groups.has(kind)) this.makeGroup(column, kind);
      for (const [kind, group] of column.groups) {
        const ids = kinds.get(kind) || [];
        group.element.hidden = ids.length === 0;
        this.renderGroup(group, ids);
      }
    }
    const isEmpty = sorted.size === 0;
    this.empty.hidden = !isEmpty;
    setText(this.empty, this.query ? `Nothing matches “${this.query}”.` : "No resources yet.");
    this.keepFocusable();
    this.draw();
  }

  // Show a column for each account, in the section of its Region. Those that stay keep their cards, and how many are shown.
  renderColumns(sorted) {
    const known = new Set(this.model.accounts.map((account) => account.id));
    for (const id of this.columns.keys()) if (!known.has(id)) this.columns.delete(id);
    const accounts = this.model.accounts.filter((account) => !account.platform || sorted.has(account.id));
    const regions = new Map();
    for (const account of accounts.filter(({ platform }) => !platform)) regions.set(account.region, []);
    for (const account of [...accounts].sort((one, other) => other.platform - one.platform)) {
      if (!regions.has(account.region)) regions.set(account.region, []);
      regions.get(account.region).push(this.findColumn(account).element); // the platform's first: what it offers is where lineages begin
    }
    const sections = [...regions].map(([region, columns]) => {
      const { section, row } = this.findRegion(region);
      arrange(row, columns);
      return section;
    });
    arrange(this.area, [this.layer, ...sections]);
  }

  findRegion(region) {
    if (!this.regions.has(region)) {
      const row = h("div", { class: "columns" });
      const section = h("section", { class: "region", "aria-label": `Region ${region}` }, h("h2", null, region), row);
      this.regions.set(region, { section, row });
    }
    return this.regions.get(region);
  }

  // Return the column of an account; a rollback may have given its id to another one.
  findColumn(account) {
    const known = this.columns.get(account.id);
    if (known && known.name === account.name && known.region === account.region) return known;
    const name = account.platform ? account.name.split("@")[0] : account.name;
    const element = h(
      "section",
      { class: account.platform ? "column platform" : "column", "aria-label": `Account ${name} in ${account.region}` },
      h("h3", null, h("span", { class: "account" }, name), h("span", { class: "account-id" }, account.id)),
    );
    const column = { name: account.name, region: account.region, element, groups: new Map() };
    this.columns.set(account.id, column);
    return column;
  }

  // Make the group of a kind in a column when its first card comes, in the order of the kinds.
  makeGroup(column, kind) {
    const kinds = this.model.view.kinds.map(([name]) => name);
    const title = this.model.view.kinds[kinds.indexOf(kind)][1];
    const number = h("span", { class: "number" });
    const list = h("ul");
    const more = h("button", { type: "button", class: "more" });
    const element = h("div", { class: "group", "data-kind": kind }, h("h4", null, `${title}s `, number), list, more);
    const group = { number, list, more, element, limit: PAGE, shown: new Map() };
    more.addEventListener("click", () => {
      const first = group.limit;
      group.limit += MORE;
      this.render();
      const next = list.children[first];
      if (next) this.focus(next.firstElementChild);
    });
    column.groups.set(kind, group);
    const later = [...column.element.querySelectorAll(".group")].find((other) => kinds.indexOf(other.dataset.kind) > kinds.indexOf(kind));
    column.element.insertBefore(element, later || null);
  }

  renderGroup(group, ids) {
    setText(group.number, ids.length.toLocaleString("en"));
    const at = ids.indexOf(this.selected);
    const limit = Math.max(group.limit, at + 1);
    const rest = ids.length - limit;
    group.more.hidden = rest <= 0;
    const offer = rest > MORE ? `${MORE} more of ${rest.toLocaleString("en")}` : `${rest} more`;
    setText(group.more, `Show ${offer}`);
    const shown = new Map();
    for (const id of ids.slice(0, limit)) {
      const card = this.model.cards.get(id);
      const item = group.shown.get(id) || this.makeItem(id);
      this.update(item, id, card);
      shown.set(id, item);
      this.cards.set(id, item.button);
    }
    arrange(group.list, [...shown.values()].map((item) => item.element));
    group.shown = shown;
  }

  makeItem(id) {
    const name = h("span", { class: "name" });
    const state = h("span", { class: "state" });
    const label = h("span", { class: "id" });
    const line = h("span", { class: "line" });
    const button = h("button", { type: "button", class: "card", tabindex: "-1", click: () => this.select(id) });
    button.append(h("span", { class: "top" }, name, state), label, line);
    return { element: h("li", null, button), button, name, state, label, line };
  }

  update(item, id, card) {
    const isChanged = this.model.changed.has(id);
    const isSelected = id === this.selected;
    if (item.card === card && item.isChanged === isChanged && item.isSelected === isSelected && item.related === this.relatives) return;
    Object.assign(item, { card, isChanged, isSelected, related: this.relatives });
    const classes = ["card", `tone-${this.model.tone(card)}`];
    if (isChanged) classes.push("changed");
    if (this.relatives) classes.push(this.relatives.has(id) ? "related" : "unrelated");
    item.button.className = classes.join(" ");
    item.button.setAttribute("aria-pressed", isSelected ? "true" : "false");
    item.button.dataset.id = id;
    setText(item.name, card.name || id);
    setText(item.state, card.state || "");
    setText(item.label, card.name ? id : "");
    setText(item.line, card.line || "");
  }

  select(id) {
    this.selected = this.selected === id ? null : id;
    this.relatives = this.selected && this.model.cards.has(id) ? this.model.relatives(id) : null;
    this.render();
    this.onSelect(this.selected);
  }

  // Select a resource that may be hidden by a filter, and bring it into view.
  reveal(id) {
    if (this.selected !== id) this.select(id);
    const button = this.cards.get(id);
    if (button) {
      this.focus(button);
      button.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
  }

  refresh() {
    this.relatives = this.selected && this.model.cards.has(this.selected) ? this.model.relatives(this.selected) : null;
    this.render();
  }

  draw() {
    cancelAnimationFrame(this.drawing);
    this.drawing = requestAnimationFrame(() => {
      const all = this.cards.size <= MAX_LINES;
      const ids = all ? this.cards.keys() : this.relatives || [];
      const isStrong = (parent, child) => !!this.relatives && this.relatives.has(parent) && this.relatives.has(child);
      drawLines(this.layer, this.area, this.model.edges(ids), (id) => this.cards.get(id), isStrong);
    });
  }

  // --- keyboard: Tab reaches one card, the arrow keys the others

  keepFocusable() {
    if (!this.focusable || !this.focusable.isConnected) {
      this.focusable = this.element.querySelector(".card");
      if (this.focusable) this.focusable.tabIndex = 0;
    }
  }

  focus(button) {
    if (this.focusable) this.focusable.tabIndex = -1;
    this.focusable = button;
    button.tabIndex = 0;
    button.focus();
  }

  move(event) {
    const here = event.target.closest(".card");
    if (!here) return;
    if (event.key === "Escape" && this.selected) this.select(this.selected);
    const columns = [...this.area.querySelectorAll(".column")].map((column) => [...column.querySelectorAll(".card")]).filter((cards) => cards.length);
    const column = columns.findIndex((cards) => cards.includes(here));
    const row = columns[column].indexOf(here);
    const last = columns[column].length - 1;
    const to = {
      ArrowDown: [column, Math.min(row + 1, last)],
      ArrowUp: [column, Math.max(row - 1, 0)],
      ArrowRight: [Math.min(column + 1, columns.length - 1), row],
      ArrowLeft: [Math.max(column - 1, 0), row],
      Home: [column, 0],
      End: [column, last],
    }[event.key];
    if (!to) return;
    event.preventDefault();
    const cards = columns[to[0]];
    this.focus(cards[Math.min(to[1], cards.length - 1)]);
  }
}
