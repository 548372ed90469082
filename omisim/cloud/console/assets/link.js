// The connection to the server: the token is exchanged for a cookie, then the view comes as server-sent events.

export const RETRY_MS = 2000;

// While a button of the mouse, a finger or a pen is down, nothing that the server sends is shown: what moves under the
// pointer would take the click from what it was pressed on. Popups may keep its release to themselves, so any later event shows it.
const waiting = []; // what to do after the release, in order
let isPressed = false;
for (const name of ["pointerdown", "pointermove", "pointerup", "pointercancel", "keydown", "change"]) {
  addEventListener(name, ({ buttons }) => {
    isPressed = (buttons & 1) === 1;
    if (!isPressed && waiting.length) setTimeout(runWaiting); // after the click that the release makes
  }, true);
}

function runWaiting() {
  while (waiting.length && !isPressed) waiting.shift()();
}

function whenReleased(action) {
  waiting.push(action);
  runWaiting();
}

// Send a request; if no answer comes, throw a TypeError whose text does not depend on the browser.
async function reach(address, options) {
  try {
    return await fetch(address, options);
  } catch {
    throw new TypeError("The server does not answer.");
  }
}

export class Link {
  // The cloud of the server that the address names; without a name, the first one.
  cloud = new URLSearchParams(location.search).get("cloud");

  // Exchange the token for a cookie that scripts cannot read, and then take it out of the address.
  static async open(token) {
    const given = token || new URLSearchParams(location.hash.slice(1)).get("token");
    if (!given) return;
    const answer = await reach("session", { method: "POST", headers: { "X-Omisim-Token": given }, credentials: "same-origin" });
    if (answer.status >= 500) throw Object.assign(new Error(answer.statusText), { status: answer.status });
    if (location.hash) history.replaceState(null, "", location.pathname + location.search);
    if (!answer.ok) throw new Error("The server does not accept this token.");
  }

  // Send a request to the control plane; return its answer, or throw an Error with its reason.
  async ask(method, name, parameters) {
    const options = { method, credentials: "same-origin", headers: this.cloud ? { "X-Omisim-Cloud": this.cloud } : {} };
    if (parameters) options.body = JSON.stringify(parameters);
    const answer = await reach(name, options);
    const text = await answer.text();
    let data = {};
    try {
      data = JSON.parse(text);
    } catch {
      data = { error: text };
    }
    await new Promise(whenReleased);
    if (!answer.ok) throw Object.assign(new Error(data.error || answer.statusText), { status: answer.status });
    return data;
  }

  // Receive the view, and then each change of it, until an error may not be retried. A hidden page leaves its stream to others.
  follow(receive, tell, mayRetry) {
    const end = new AbortController();
    const start = () => {
      if (document.hidden || this.source) return;
      const source = (this.source = new EventSource(this.cloud ? `view?cloud=${encodeURIComponent(this.cloud)}` : "view"));
      for (const name of ["view", "steps", "now"]) source.addEventListener(name, (event) => whenReleased(() => receive[name](JSON.parse(event.data))));
      source.addEventListener("open", () => tell("Live", true));
      source.addEventListener("error", () => {
        if (source.readyState !== EventSource.CLOSED) return tell("Reconnecting…", false);
        this.source = null;
        return poll();
      });
    };
    // One timer, however often the page is hidden and shown: no second loop begins.
    const again = () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(start, RETRY_MS);
    };
    // All streams of the server are in use, or the cookie has ended: read the view once, and try again.
    const poll = () =>
      this.ask("GET", "view").then(
        (view) => {
          again();
          receive.view(view);
          tell("Every 2 seconds", true);
        },
        (error) => {
          tell(error.status === 401 ? "Signed out: open the address that omisim serve prints now" : error.message, false);
          if (mayRetry(error)) again();
          else end.abort();
        },
      );
    const change = () => {
      if (!document.hidden) return start();
      if (this.source) this.source.close();
      this.source = null;
      return undefined;
    };
    document.addEventListener("visibilitychange", change, { signal: end.signal });
    start();
  }
}
