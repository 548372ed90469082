// The request box: any action, with its parameters from its signature. It is checked while it is written.

import { showRefusal } from "./calls.js";
import { h, update } from "./dom.js";

const CHECK_MS = 250;

export class RequestBox {
  constructor(link, model, actions) {
    Object.assign(this, { link, model, actions });
    this.fields = new Map(); // name of a parameter → its input
    this.account = h("select", { id: "request-account", change: () => this.check() });
    this.action = h("input", { id: "request-action", list: "actions", autocomplete: "off", spellcheck: "false", placeholder: "CreateVms", input: () => this.chooseAction() });
    this.summary = h("p", { class: "hint" });
    this.rows = h("div", { class: "fields" });
    this.add = h("select", { id: "request-add", change: () => this.addChosen() });
    this.adding = h("div", { class: "fields", hidden: true }, h("label", { for: "request-add" }, "Add"), this.add);
    this.verdict = h("div", { class: "verdict", role: "status" });
    this.answer = h("div", { class: "answer", role: "region", "aria-label": "Answer", tabindex: "-1" });
    const send = (event) => {
      event.preventDefault();
      this.send();
    };
    this.element = h(
      "form",
      { class: "request", submit: send },
      h("div", { class: "fields" }, h("label", { for: "request-account" }, "Account"), this.account, h("label", { for: "request-action" }, "Action"), this.action),
      h("datalist", { id: "actions" }, ...Object.entries(actions).map(([name, { summary }]) => h("option", { value: name }, summary))),
      this.summary,
      this.rows,
      this.adding,
      h("div", { class: "row" }, h("button", { type: "submit", class: "primary" }, "Send")),
      this.verdict,
      this.answer,
    );
    this.listAccounts();
    model.listen(() => this.listAccounts());
  }

  listAccounts() {
    const names = this.model.accounts.filter((account) => !account.platform).map((account) => account.name);
    update(this.account, names.map((name) => h("option", { key: name, value: name }, name)));
  }

  // --- parameters

  get actionName() {
    return this.action.value.trim();
  }

  // The description of the chosen action, or undefined. Every object also has members such as `constructor`.
  get known() {
    return Object.hasOwn(this.actions, this.actionName) ? this.actions[this.actionName] : undefined;
  }

  get parameters() {
    return this.known ? this.known.parameters : [];
  }

  chooseAction() {
    this.summary.textContent = this.known ? this.known.summary : "";
    this.fields.clear();
    this.rows.replaceChildren();
    for (const parameter of this.parameters) if (parameter.required) this.addField(parameter);
    this.listRest();
    this.check();
  }

  listRest() {
    const rest = this.parameters.filter(({ name }) => !this.fields.has(name));
    this.adding.hidden = rest.length === 0;
    const option = ({ name, type, many }) => h("option", { value: name }, `${name} (${many ? "list of " : ""}${type})`);
    this.add.replaceChildren(h("option", { value: "" }, "a parameter…"), ...rest.map(option));
  }

  addChosen() {
    const parameter = this.parameters.find(({ name }) => name === this.add.value);
    if (parameter) this.addField(parameter).focus();
    this.listRest();
    this.check();
  }

  addField(parameter) {
    const { name, required, example } = parameter;
    const attributes = { id: `parameter-${name}`, autocomplete: "off", spellcheck: "false", input: () => this.check() };
    const input = this.makeInput(parameter, attributes);
    if (parameter.type === "JSON") input.value = example;
    this.fields.set(name, { parameter, input });
    const remove = h("button", { type: "button", class: "remove", "aria-label": `Remove ${name}` }, "×");
    const label = h("label", { for: attributes.id }, name, required ? h("span", { class: "required", title: "required" }, " *") : null);
    const field = h("span", { class: "field" }, input, required ? null : remove);
    remove.addEventListener("click", () => {
      this.fields.delete(name);
      label.remove();
      field.remove();
      this.listRest();
      this.check();
      this.add.focus();
    });
    this.rows.append(label, field);
    return input;
  }

  makeInput({ name, type, many, ids }, attributes) {
    if (type === "boolean" && !many) return h("select", attributes, h("option", { value: "true" }, "true"), h("option", { value: "false" }, "false"));
    if (type === "JSON") return h("textarea", { ...attributes, rows: 4 });
    const list = ids ? `ids-${name}` : null;
    const input = h("input", { ...attributes, list, placeholder: many ? "separated by commas" : "" });
    if (!ids) return input;
    const values = h("datalist", { id: list });
    input.addEventListener("focus", () => values.replaceChildren(...this.listIds(ids)));
    this.rows.append(values);
    return input;
  }

  listIds(kind) {
    if (kind === "account") return this.model.accounts.filter((account) => !account.platform).map(({ id, name }) => h("option", { value: id }, name));
    const known = [...this.model.cards].filter(([, card]) => card.kind === kind && !card.deleted);
    return known.slice(-200).map(([id, card]) => h("option", { value: id }, card.name || card.line || ""));
  }

  // Return the request as JSON data; throw an Error that names the parameter that cannot be read.
  read() {
    const parameters = {};
    for (const [name, { parameter, input }] of this.fields) {
      const text = input.value.trim();
      if (text === "") continue;
      try {
        parameters[name] = parameter.type !== "JSON" && parameter.many ? splitList(parameter, text).map((item) => convert(parameter.type, item)) : convert(parameter.type, text);
      } catch (error) {
        throw new Error(`${name}: ${error.message}`);
      }
    }
    return { account: this.account.value, action: this.actionName, parameters };
  }

  // --- before and after sending

  check() {
    clearTimeout(this.checking);
    this.checking = setTimeout(() => this.checkNow(), CHECK_MS);
  }

  async checkNow() {
    if (!this.actionName) return this.verdict.replaceChildren();
    const number = (this.checks = (this.checks || 0) + 1);
    try {
      const { refusals } = await this.link.ask("POST", "why_not", this.read());
      if (number !== this.checks) return undefined; // a later check has begun
      const heading = refusals.length ? h("p", { class: "would-fail" }, "This request would be refused:") : h("p", { class: "would-work" }, "This request would succeed.");
      this.verdict.replaceChildren(heading, ...refusals.map((refusal) => showRefusal(refusal)));
    } catch (error) {
      this.verdict.replaceChildren(h("p", { class: "message failed" }, error.message));
    }
    return undefined;
  }

  async send() {
    clearTimeout(this.checking);
    this.checks = (this.checks || 0) + 1;
    this.verdict.replaceChildren();
    try {
      const result = await this.link.ask("POST", "call", this.read());
      this.answer.replaceChildren(...this.show(result));
    } catch (error) {
      this.answer.replaceChildren(h("p", { class: "message failed" }, error.message));
    }
    this.answer.focus();
  }

  show(result) {
    if (result.refusal) return [h("h4", null, "Refused"), showRefusal(result.refusal)];
    if (result.dropped) return [h("h4", null, "No answer"), h("p", null, result.dropped)];
    return [h("h4", null, "Answer"), h("pre", { tabindex: "0" }, JSON.stringify(result.answer, null, 2))];
  }
}

// Return the items of a list. A name may contain spaces, an id may not: pasted ids are often separated by spaces.
function splitList({ ids }, text) {
  const items = text.split(ids ? /[\s,]+/ : ",").map((item) => item.trim());
  return items.filter((item) => item !== "");
}

function convert(type, text) {
  if (type === "JSON") return JSON.parse(text, (_, value) => checkDigits(value, value));
  if (type === "boolean") return text === "true";
  if (type === "string") return text;
  const number = Number(text);
  if (!Number.isFinite(number)) throw new Error(`${text} is not a number`);
  return checkDigits(number, text);
}

// Refuse an integer that JavaScript has rounded: the server would get another one.
function checkDigits(value, text) {
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) throw new Error(`${text} is beyond the integers that this page can send, up to ${Number.MAX_SAFE_INTEGER}`);
  return value;
}
