// What the pages do beside being read. Each works without it, but for the wall.
"use strict";

// A file becomes the text of a field, so that the form needs no other encoding.
for (const file of document.querySelectorAll("input[data-into]")) {
  file.addEventListener("change", async () => {
    const field = document.getElementById(file.dataset.into);
    if (file.files[0]) field.value = await file.files[0].text();
  });
}

const main = document.querySelector("main[data-socket]");
if (main) live(main);

// A class, live: what is pushed is shown, and forms go by the same WebSocket while it is open.
function live(main) {
  const texts = JSON.parse(main.dataset.texts);
  const number = Number(main.dataset.class);
  const find = (name) => main.querySelector(`[data-${name}]`);
  const waiting = new Map();
  let socket = null;
  let next = 0;
  let pause = 500;
  let isOver = false;
  let fades = 0;
  let graceTime = 10000;

  connect();
  for (const form of main.querySelectorAll("form[data-message]")) {
    form.addEventListener("submit", (event) => submit(event, form));
  }

  function connect() {
    state(texts.reconnecting, "away");
    const url = new URL(main.dataset.socket, location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    socket = new WebSocket(url);
    socket.addEventListener("open", () => ask({ type: "watch_class", class: number }).then(show, complain));
    socket.addEventListener("message", (event) => read(JSON.parse(event.data)));
    socket.addEventListener("close", () => {
      for (const { reject } of waiting.values()) reject(null);
      waiting.clear();
      if (isOver) return;
      state(texts.reconnecting, "away");
      // Half of the wait is drawn, so that a hall of pages does not come back in one moment.
      setTimeout(connect, pause / 2 + Math.random() * pause / 2);
      pause = Math.min(pause * 2, 5000);
    });
  }

  function ask(message) {
    return new Promise((resolve, reject) => {
      next += 1;
      waiting.set(next, { resolve, reject });
      socket.send(JSON.stringify({ id: next, ...message }));
    });
  }

  function read(message) {
    if ("id" in message) {
      const asked = waiting.get(message.id);
      waiting.delete(message.id);
      if (!asked) return;
      if (message.error) asked.reject(message.error);
      else asked.resolve(message.reply);
    } else if (message.gap) {
      // Something was missed: read all again.
      ask({ type: "watch_class", class: number }).then(show, complain);
    } else if (message.type === "code") {
      code(message.data);
    } else if (message.type === "arrival") {
      arrival(message.data);
    } else if (message.type === "closed") {
      over();
    }
  }

  function show(view) {
    pause = 500;
    state(texts.live, "present");
    graceTime = view.every_ms + view.grace_ms;
    main.style.setProperty("--every", `${view.every_ms}ms`);
    count(view);
    for (const line of view.lines) row(line);
    if (view.closed) over();
  }

  function code(text) {
    const shown = find("code");
    if (!shown) return;
    const picture = find("qr");
    const fade = (isOld) => [shown, picture].forEach((one) => one.classList.toggle("old", isOld));
    shown.textContent = text;
    fade(false);
    // A code that nobody replaces is no code: the page is cut off, and says so by itself.
    clearTimeout(fades);
    fades = setTimeout(fade, graceTime, true);
    picture.src = `/classes/${number}/qr.svg?code=${encodeURIComponent(text)}`;
    picture.hidden = false;
    const bar = find("time");
    bar.classList.remove("runs");
    void bar.offsetWidth;
    bar.classList.add("runs");
  }

  function arrival({ line, here, total }) {
    count({ here, total });
    const changed = row(line);
    if (changed) {
      changed.classList.add("new");
      setTimeout(() => changed.classList.remove("new"), 3000);
    }
    const latest = find("latest");
    if (latest && (line.standing === "present" || line.standing === "late")) {
      const names = latest.textContent ? latest.textContent.split(" · ") : [];
      latest.textContent = [line.name, ...names.filter((name) => name !== line.name)].slice(0, 6).join(" · ");
    }
  }

  function count({ here, total }) {
    find("here").textContent = here;
    find("total").textContent = total;
  }

  function row(line) {
    const row = main.querySelector(`tr[data-student="${line.student}"]`);
    if (!row) return null;
    const chip = row.querySelector("[data-standing]");
    chip.className = `chip ${line.standing ?? ""}`;
    chip.textContent = line.standing ? texts[line.standing] : "–";
    const time = line.arrived ? new Date(line.arrived) : null;
    const options = { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false };
    row.querySelector("[data-arrived]").textContent = time ? time.toLocaleTimeString([], options) : "";
    return row;
  }

  function over() {
    isOver = true;
    state(texts.closed, "");
    clearTimeout(fades);
    const shown = find("code");
    if (shown) {
      shown.textContent = "······";
      find("qr").hidden = true;
      find("time").classList.remove("runs");
    }
    for (const form of main.querySelectorAll('form[data-message="close_class"]')) form.remove();
    // Who is not known to be there now was not there.
    for (const chip of main.querySelectorAll("tr [data-standing]")) {
      if (chip.textContent === "–") chip.textContent = texts.absent;
    }
  }

  async function submit(event, form) {
    if (!socket || socket.readyState !== WebSocket.OPEN) return; // It goes the ordinary way.
    event.preventDefault();
    const fields = new FormData(form);
    const message = { type: form.dataset.message, class: number };
    for (const [name, value] of fields) {
      if (name === "csrf") continue;
      message[name] = name === "student" ? Number(value) : value;
    }
    find("error").hidden = true;
    try {
      await ask(message);
      form.reset();
      form.closest("details")?.removeAttribute("open");
    } catch (error) {
      complain(error);
    }
  }

  function complain(error) {
    if (!error) return; // The connection is over, and says so itself.
    const shown = find("error");
    const text = texts[`refused_${error.code}`] ?? error.msg;
    if (shown) {
      shown.textContent = text;
      shown.hidden = false;
    } else {
      state(text, "away");
    }
  }

  function state(text, look) {
    const shown = find("state");
    shown.textContent = text;
    shown.className = `chip state ${look}`;
  }
}
