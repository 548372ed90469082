// A cloud's cards after any step of its history. The steps say what changed; nothing here knows why.

// What to call changes that no call has made.
const CAUSES = {
  account: "Account created",
  complete: "Completed by hand",
  due: "Time passes",
  fail: "Failed by hand",
  oos: "Object storage",
  write: "Disk written",
};

function patch(card, values) {
  if (values === null) return undefined;
  const next = { ...card };
  for (const [name, value] of Object.entries(values)) {
    if (value === null) delete next[name];
    else next[name] = value;
  }
  return next;
}

export class Model {
  constructor(view) {
    this.listeners = [];
    this.load(view);
  }

  // Take a whole view, in place of the one before.
  load(view) {
    this.view = view;
    this.accounts = view.accounts;
    this.now = view.now;
    this.cards = new Map(Object.entries(view.base)); // as shown
    this.order = new Map(); // id → its number, in the order of creation
    for (const id of this.cards.keys()) this.order.set(id, this.order.size);
    this.steps = [];
    this.refusals = []; // the numbers of steps
    this.touching = new Map(); // id → the numbers of the steps that changed it
    this.at = 0; // the number of steps that the cards include
    this.changed = new Set(); // the ids that the last of them changed
    this.append(view.steps);
  }

  get isLatest() {
    return this.at === this.steps.length;
  }

  // Add new steps at the end, and show them if the latest one was shown.
  append(steps) {
    const follows = this.isLatest;
    const shownAt = this.at;
    this.goTo(this.steps.length);
    for (const step of steps) this.take(step);
    this.goTo(this.steps.length);
    if (!follows) this.goTo(shownAt);
    this.notify();
  }

  // Apply a new step to the latest cards, and note how to undo it.
  take(step) {
    step.number = this.steps.length;
    step.before = [];
    step.after = [];
    for (const [id, values] of step.changes) {
      if (!this.order.has(id)) this.order.set(id, this.order.size);
      const before = this.cards.get(id);
      const after = patch(before, values);
      step.before.push([id, before]);
      step.after.push([id, after]);
      if (after) this.cards.set(id, after);
      else this.cards.delete(id);
      if (!this.touching.has(id)) this.touching.set(id, []);
      this.touching.get(id).push(step.number);
    }
    step.before.reverse();
    if (step.refusal) this.refusals.push(step.number);
    this.steps.push(step);
    this.at = this.steps.length;
  }

  // Show the cards as they were after a number of steps.
  goTo(at) {
    const target = Math.max(0, Math.min(at, this.steps.length));
    while (this.at < target) this.apply(this.steps[this.at++].after);
    while (this.at > target) this.apply(this.steps[--this.at].before);
    this.changed = new Set(this.at ? this.steps[this.at - 1].after.map(([id]) => id) : []);
  }

  apply(cards) {
    for (const [id, card] of cards) {
      if (card) this.cards.set(id, card);
      else this.cards.delete(id);
    }
  }

  show(at) {
    this.goTo(at);
    this.notify();
  }

  listen(listener) {
    this.listeners.push(listener);
  }

  notify() {
    for (const listener of this.listeners) listener();
  }

  account(id) {
    return this.accounts.find((account) => account.id === id);
  }

  // The tone of a state, as the lifecycle tables see it.
  tone(card) {
    if (card.deleted) return "gone";
    const states = this.view.states[card.kind];
    return (states && states[card.state]) || (card.state ? "steady" : "none");
  }

  // Every relation between cards that exist: [parent, child, relation].
  edges(ids) {
    const edges = [];
    for (const id of ids) {
      const card = this.cards.get(id);
      for (const [how, parent] of (card && card.parents) || []) {
        if (this.cards.has(parent)) edges.push(how === "part of" ? [id, parent, how] : [parent, id, how]);
      }
    }
    return edges;
  }

  // The ids of a card's ancestors and descendants, and its own.
  relatives(id) {
    const up = new Map();
    const down = new Map();
    for (const [parent, child] of this.edges(this.cards.keys())) {
      if (!up.has(child)) up.set(child, []);
      if (!down.has(parent)) down.set(parent, []);
      up.get(child).push(parent);
      down.get(parent).push(child);
    }
    const reached = new Set([id]);
    for (const ways of [up, down]) {
      const waiting = [id];
      while (waiting.length) {
        for (const next of ways.get(waiting.pop()) || []) {
          if (!reached.has(next)) {
            reached.add(next);
            waiting.push(next);
          }
        }
      }
    }
    return reached;
  }

  // What a step is called: the call with its caller, or what happened without one.
  title(step) {
    if (step.action) return step.by ? `${step.action} by ${step.by}` : `${step.action} without an account`;
    return CAUSES[step.cause] || step.cause || "";
  }
}

// How a card changed, in a few words: the states say what happened.
export function describeChange(before, after) {
  if (!after) return "removed";
  if (after.deleted && !(before && before.deleted)) return "deleted";
  if (!before) return after.state ? `created, ${after.state}` : "created";
  return before.state === after.state ? "changed" : `${before.state} → ${after.state}`;
}
