// What pages do better with JavaScript; each of them works without. No inline code anywhere: the policy forbids it.
(() => {
  "use strict";

  const copy = async (button) => {
    const text = button.dataset.copy;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Without https there is no clipboard: select the text, and copy as the keyboard would.
      const shown = button.parentElement.querySelector(".copied-text");
      if (shown) window.getSelection().selectAllChildren(shown);
      if (!shown || !document.execCommand("copy")) return; // what is selected can still be copied by hand
    }
    if (button.textContent === button.dataset.copied) return;
    const before = button.textContent;
    button.textContent = button.dataset.copied;
    setTimeout(() => { button.textContent = before; }, 2000);
  };

  const prepare = (root) => {
    for (const button of root.querySelectorAll("[data-copy]")) button.hidden = false;
    for (const part of root.querySelectorAll("[data-needs-js], [data-print]")) part.hidden = false;
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) copy(button);
    if (event.target.closest("[data-print]")) window.print();
  });

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.confirm && !window.confirm(form.dataset.confirm)) {
      event.preventDefault();
      return;
    }
    if (form.method !== "post") return;
    if (form.dataset.sent) {
      event.preventDefault(); // a second click while the first is under way
      return;
    }
    if (event.defaultPrevented) return; // htmx sends it
    form.dataset.sent = "1";
    if (event.submitter) event.submitter.setAttribute("aria-busy", "true");
  });

  // Coming back by the Back button finds the page as it was left: let its forms be sent again.
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
    for (const button of document.querySelectorAll("[aria-busy]")) button.removeAttribute("aria-busy");
  });

  // What was typed into such a form outlives a way back and forth in this tab, until the booking is made.
  const kept = (name) => {
    try { return JSON.parse(sessionStorage.getItem(name)) || {}; } catch { return {}; }
  };
  const keep = (form) => {
    const typed = {};
    for (const field of form.elements) {
      if (field.id && ["text", "tel", "email", "textarea"].includes(field.type) && field.name !== "code") typed[field.id] = field.value;
    }
    sessionStorage.setItem(form.dataset.keep, JSON.stringify(typed));
  };
  const restore = (root) => {
    for (const form of root.querySelectorAll("form[data-keep]")) {
      for (const [id, value] of Object.entries(kept(form.dataset.keep))) {
        const field = form.elements[id];
        if (field && !field.value) field.value = value;
      }
    }
    for (const part of root.querySelectorAll("[data-forget]")) sessionStorage.removeItem(part.dataset.forget);
  };
  document.addEventListener("input", (event) => {
    const form = event.target.form;
    if (form && form.dataset.keep) keep(form);
  });

  // What the ticked services come to: "2 services · 4 300–5 300 ₽ · 2 h". And the address remembers the ticks, so that
  // coming back to this step finds them.
  const rest = "\u00a0";
  const roubles = (kopecks) => String(Math.round(kopecks / 100)).replace(/\B(?=(\d{3})+$)/g, rest);
  const formOf = (count, words) => {
    const ones = count % 10, tens = count % 100;
    if (ones === 1 && tens !== 11) return words.one;
    return ones >= 2 && ones <= 4 && (tens < 12 || tens > 14) ? words.few : words.many;
  };
  const total = (form) => {
    const shown = form.querySelector("[data-total]");
    if (!shown) return;
    shown.dataset.nothing = shown.dataset.nothing || shown.textContent;
    const ticked = [...form.querySelectorAll("[name=service]:checked")].map((one) => one.dataset);
    const sum = (name) => ticked.reduce((whole, one) => whole + Number(one[name]), 0);
    const low = sum("priceMin"), high = Math.max(sum("priceMax"), low), minutes = sum("minutes");
    const isTimed = ticked.every((one) => Number(one.minutes));
    const span = [[Math.floor(minutes / 60), shown.dataset.hours], [minutes % 60, shown.dataset.minutes]];
    const parts = [`${ticked.length}${rest}${formOf(ticked.length, shown.dataset)}`];
    if (high) parts.push(`${low < high ? `${roubles(low)}–` : ""}${roubles(high)}${rest}₽`);
    if (isTimed && minutes) parts.push(span.filter(([number]) => number).map((one) => one.join(rest)).join(" "));
    shown.textContent = ticked.length ? parts.join(" · ") : shown.dataset.nothing;
  };
  document.addEventListener("change", (event) => {
    const { form, name } = event.target;
    if (!form || name !== "service") return;
    total(form);
    if (form.method !== "get") return;
    const fields = new URLSearchParams(new FormData(form));
    fields.set("change", "services");
    window.history.replaceState(window.history.state, "", `${form.getAttribute("action")}?${fields}`);
  });
  const totals = () => { for (const shown of document.querySelectorAll("[data-total]")) total(shown.closest("form")); };

  // After a form was refused the keyboard goes to what is to be mended; after a step, to its beginning.
  const toMistake = () => {
    const mistake = document.querySelector("main [aria-invalid='true']");
    if (mistake) mistake.focus();
    return Boolean(mistake);
  };

  // A part that is read again by itself must not take away what was opened in it, nor where the keyboard stood.
  const nameOf = (one) => `${one.tagName} ${one.getAttribute("href") || one.textContent.trim()}`;
  const standingIn = (part) => ({
    known: idsIn(part),
    open: [...part.querySelectorAll("details[open] > summary")].map(nameOf),
    focused: part.contains(document.activeElement) ? nameOf(document.activeElement) : "",
  });
  const standAgain = (part, before) => {
    for (const summary of part.querySelectorAll("details > summary")) summary.parentElement.open = before.open.includes(nameOf(summary));
    const focused = [...part.querySelectorAll("a, button, summary")].find((one) => nameOf(one) === before.focused);
    if (focused) focused.focus({ preventScroll: true });
  };
  const standing = new Map();
  // What was served last of each such part: the same again is not put in its place, so nothing flickers.
  const served = new Map();
  const isAsServed = (target, answer) => {
    const part = new DOMParser().parseFromString(answer, "text/html").getElementById(target.id);
    const text = part && part.outerHTML;
    if (served.get(target.id) === text) return true;
    served.set(target.id, text);
    return false;
  };
  const idsIn = (part) => new Set([...part.querySelectorAll("[id^=b]")].map((one) => one.id));
  // What came by itself is coloured for a moment, and said to who does not see it.
  const tellFresh = (part, known) => {
    if (!part.dataset.fresh) return;
    const fresh = [...idsIn(part)].filter((id) => !known.has(id));
    for (const id of fresh) document.getElementById(id).classList.add("fresh");
    const told = document.getElementById("fresh");
    if (told && fresh.length) told.textContent = `${part.dataset.fresh}${fresh.length}`;
  };

  // Why a step did not lead on, where that is no page with the form in it: `text`, or without one that nobody answered.
  const tellLost = (isLost, text) => {
    const notice = document.getElementById("lost");
    if (!notice) return;
    notice.dataset.lost = notice.dataset.lost || notice.textContent;
    notice.textContent = text || notice.dataset.lost;
    notice.hidden = !isLost;
    if (isLost) notice.scrollIntoView({ block: "nearest" });
  };
  const errorText = (answer) => {
    const shown = new DOMParser().parseFromString(answer, "text/html").getElementById("error-text");
    return shown ? shown.textContent : "";
  };
  document.addEventListener("htmx:beforeRequest", () => tellLost(false));
  document.addEventListener("htmx:sendError", () => tellLost(true));
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { target, xhr, serverResponse } = event.detail;
    const error = xhr.status >= 400 && target.id === "main" ? errorText(serverResponse) : "";
    if (!error && serverResponse.includes(`id="${target.id}"`)) {
      if (target.id === "main") return;
      event.detail.shouldSwap = !isAsServed(target, serverResponse);
      standing.set(target.id, standingIn(target));
      return;
    }
    // Not a page of ours: what stands here stays, and what was typed with it.
    event.detail.shouldSwap = false;
    if (target.id !== "main" && xhr.status < 500) window.location.reload(); // signed out meanwhile
    else tellLost(true, error);
  });

  // YCLIENTS's form in the frame says that it has booked; where it tells number and hash, the booking becomes one's own.
  const claim = document.getElementById("claim");
  const frame = document.querySelector("iframe.widget");
  const said = (data) => {
    if (typeof data !== "string") return data;
    try { return JSON.parse(data); } catch { return null; }
  };
  if (claim && frame) window.addEventListener("message", (event) => {
    if (event.source !== frame.contentWindow || event.origin !== new URL(frame.src).origin) return;
    const message = said(event.data);
    const booked = message && message.action === "booked" && message.params && message.params.appointments;
    const [one] = Array.isArray(booked) ? booked : [];
    const id = one && (one.record_id || one.id);
    const hash = one && (one.record_hash || one.hash);
    if (!id || !hash) return;
    claim.elements.record_id.value = id;
    claim.elements.record_hash.value = hash;
    claim.submit();
  });

  document.addEventListener("htmx:load", (event) => { prepare(event.target); restore(event.target); totals(); });
  document.addEventListener("htmx:afterSettle", (event) => {
    const { id } = event.detail.target;
    if (id !== "main") {
      const part = document.getElementById(id), before = standing.get(id);
      standAgain(part, before);
      tellFresh(part, before.known);
    }
    else if (!toMistake()) document.getElementById("main").focus({ preventScroll: true });
  });
  restore(document);
  prepare(document);
  totals();
  toMistake();
})();
