// The console on a server: it shows nothing until the token is exchanged, and then follows the cloud.

import { Console } from "./console.js";
import { Controls } from "./controls.js";
import { h } from "./dom.js";
import { Link, RETRY_MS } from "./link.js";
import { Model } from "./model.js";
import { RequestBox } from "./request.js";
import { showMore } from "./resource.js";

const root = document.getElementById("console");
const link = new Link();

let page = null; // the console, once the first view has come

// Sign in, load what never changes, and follow the view. Until the server has answered all of it, try again.
async function start(token) {
  try {
    await Link.open(token);
    const actions = await link.ask("GET", "actions");
    const receive = {
      view: (view) => (page ? replaceView(page.model, view) : show(view, actions)),
      steps: ({ steps, now, accounts }) => {
        Object.assign(page.model, { now, accounts });
        page.model.append(steps);
      },
      now: ({ now }) => {
        page.model.now = now;
        page.schedule();
      },
    };
    link.follow(receive, tell, mayRetry);
  } catch (error) {
    if (mayRetry(error)) setTimeout(start, RETRY_MS, token);
  }
}

function tell(text, isLive) {
  if (page) {
    page.status.textContent = text;
    page.status.classList.toggle("live", isLive);
  } else if (!isLive) {
    root.replaceChildren(h("p", { class: "notice", role: "status" }, `Waiting for the server: ${text}`));
  }
}

// Return whether a request may be sent again. If the server refuses the first ones, the page asks for another token, or offers another cloud.
function mayRetry(error) {
  if (page) return true;
  const isTemporary = error instanceof TypeError || error.status >= 500; // a TypeError: there was no answer
  if (isTemporary) tell(error.message, false);
  else askForToken(error);
  return isTemporary;
}

function askForToken(error) {
  if (error.status === 404) return showStart(error.message, h("a", { href: "./" }, "Open the first cloud of the server"));
  const input = h("input", { id: "token", type: "password", autocomplete: "off" });
  const send = (event) => {
    event.preventDefault();
    start(input.value);
  };
  const reason = error.status === 401 ? "The console needs the token of its server: open the address that omisim serve prints, or enter the token here." : error.message;
  return showStart(reason, h("form", { class: "row", submit: send }, h("label", { for: "token" }, "Token"), input, h("button", { type: "submit", class: "primary" }, "Open")));
}

function showStart(reason, next) {
  root.replaceChildren(h("main", { class: "sign-in" }, h("h1", null, h("span", { class: "brand" }, "omisim")), h("p", null, reason), next));
}

function show(view, actions) {
  const model = new Model(view);
  page = new Console(model, link.cloud, "Live");
  page.status.classList.add("live");
  const controls = new Controls(link, model, actions);
  const request = new RequestBox(link, model, actions);
  page.addTab("request", "Request");
  page.addTab("controls", "Controls");
  page.tabs.get("request").panel.append(request.element);
  page.tabs.get("controls").panel.append(controls.element);
  showResources(controls);
  root.replaceChildren(page.element);
  page.board.draw();
}

// Take a whole view; who looks at the past keeps looking at it.
function replaceView(model, view) {
  const at = model.isLatest ? Infinity : model.at;
  model.load(view);
  if (at !== Infinity) model.show(at);
}

// Add to a resource's panel what the server knows of it now.
function showResources(controls) {
  const { model } = page;
  let known = {}; // of the selected resource: its `id`, `more` of it, and after which step the server was asked for that
  // One request at a time: what it brings is shown, though steps have come meanwhile, and then it is asked for again.
  const ask = async (asked) => {
    Object.assign(asked, { step: model.steps.at(-1), isAsking: true });
    const more = await link.ask("GET", `resource?id=${encodeURIComponent(asked.id)}`).catch(() => asked.more);
    Object.assign(asked, { more, isAsking: false });
    if (asked === known) page.renderTab();
  };
  page.extra = (id) => {
    if (!model.isLatest) return [h("p", { class: "hint" }, "Access, lineage and fields are shown for the latest step.")];
    if (known.id !== id) known = { id, step: null };
    if (known.step !== model.steps.at(-1) && !known.isAsking) ask(known);
    const isBusy = model.tone(model.cards.get(id)) === "busy";
    return [...(isBusy ? [controls.offerMoves(id)] : []), ...(known.more ? showMore(known.more) : [])];
  };
}

// A new token in the address does not load the page again: only the part after the # has changed.
addEventListener("hashchange", () => {
  if (location.hash) location.reload();
});
start();
