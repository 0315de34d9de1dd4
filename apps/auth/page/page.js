"use strict";

// One page, two views: a visitor signs in or registers, a member sees who they are and signs out.
// Nothing is kept in the browser but the cookie, which scripts cannot read.

const at = (id) => document.getElementById(id);

const words = {
  invalid_email: "Enter an e-mail address, such as name@example.org.",
  not_ascii: "Enter an e-mail address without letters such as ä or é: none can have an account here.",
  weak_password: "Choose a password of at least 8 characters.",
  password_too_long: "Choose a shorter password: it may have up to 1,024 bytes.",
  user_already_exists: "There is an account with this e-mail already. Sign in instead?",
  invalid_credentials: "The e-mail or the password is not right.",
  forbidden: "You may not do that.",
  foreign_origin: "This page was opened under a name that the server does not know.",
  misdirected_request: "This page was opened under a name that the server does not know.",
  overloaded: "Too many people are signing in right now.",
  unavailable: "The server is restarting.",
  timeout: "The server took too long to answer. Try again.",
};

const fieldOf = {
  invalid_email: "email",
  user_already_exists: "email",
  weak_password: "password",
  password_too_long: "password",
};

const retryAfterMs = 3000;
const emailLimit = 254;
const passwordLimitBytes = 1024;

let registering = false;
let busy = false;
let member = null;
let refreshTimer = 0;
let unanswered = null; // the registration that was sent last, and its key

class Offline extends Error {}

async function call(method, path, body, headers = {}) {
  const options = { method, credentials: "same-origin", cache: "no-store", headers: { ...headers } };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Offline();
  } finally {
    at("offline").hidden = true;
  }
  let answer = {};
  try {
    answer = await response.json();
  } catch {
    // A reply without a body, or one of something that stands between.
  }
  return { status: response.status, answer, headers: response.headers };
}

function showOffline(retrying) {
  at("offline").textContent =
    "The server cannot be reached. Check your connection" +
    (retrying ? "; this page keeps trying." : ", then try again.");
  at("offline").hidden = false;
}

function inWords(seconds) {
  if (seconds < 60) {
    return seconds === 1 ? "1 second" : `${seconds} seconds`;
  }
  const minutes = Math.ceil(seconds / 60);
  return minutes === 1 ? "1 minute" : `${minutes} minutes`;
}

function wordsFor(result) {
  const code = result.answer.error;
  const wait = Number.parseInt(result.headers.get("Retry-After") ?? "", 10);
  const again = wait > 0 ? ` Try again in ${inWords(wait)}.` : " Try again later.";
  if (code === "too_many_attempts") {
    return "That were too many attempts." + again;
  }
  if (result.status === 503) {
    return (words[code] ?? "The server is busy.") + again;
  }
  return words[code] ?? `Something went wrong (${code ?? result.status}). Try again.`;
}

function show(view) {
  for (const id of ["loading", "visitor", "member"]) {
    at(id).hidden = id !== view;
  }
}

function clearErrors() {
  at("form-error").textContent = "";
  at("member-error").textContent = "";
  for (const name of ["email", "password"]) {
    at(`${name}-error`).textContent = "";
    at(name).removeAttribute("aria-invalid");
  }
}

function showError(code, text) {
  const field = fieldOf[code];
  if (!field) {
    at("form-error").textContent = text;
    return;
  }
  at(`${field}-error`).textContent = text;
  at(field).setAttribute("aria-invalid", "true");
  at(field).focus();
}

function setBusy(value) {
  busy = value;
  // Not `disabled`: that would drop the focus.
  for (const id of ["submit", "logout", "switch"]) {
    at(id).setAttribute("aria-disabled", String(value));
  }
  at("submit").textContent = value ? "One moment…" : registering ? "Create account" : "Sign in";
}

function setMode(isRegistering) {
  registering = isRegistering;
  at("visitor-title").textContent = registering ? "Create an account" : "Sign in";
  document.title = at("visitor-title").textContent;
  at("submit").textContent = registering ? "Create account" : "Sign in";
  at("password").autocomplete = registering ? "new-password" : "current-password";
  at("password-hint").hidden = !registering;
  at("switch-question").textContent = registering ? "Have an account?" : "New here?";
  at("switch").textContent = registering ? "Sign in" : "Create an account";
  clearErrors();
}

function setReveal(visible) {
  at("password").type = visible ? "text" : "password";
  at("reveal").textContent = visible ? "Hide" : "Show";
  at("reveal").setAttribute("aria-pressed", String(visible));
}

function showVisitor(news, { focus = true } = {}) {
  member = null;
  clearTimeout(refreshTimer);
  setMode(false);
  setReveal(false);
  at("password").value = "";
  show("visitor");
  at("visitor-news").textContent = news ?? "";
  if (focus) {
    at("visitor-title").focus();
  }
}

function showMember(user, seconds) {
  const isNew = member === null;
  member = user;
  at("member-email").textContent = user.email;
  at("member-role").textContent = user.role === "admin" ? "Administrator" : "User";
  document.title = `Signed in as ${user.email}`;
  watchExpiry(seconds);
  show("member");
  if (isNew) {
    clearErrors();
    at("password").value = "";
    at("member-title").focus();
  }
}

function refreshLater(milliseconds) {
  clearTimeout(refreshTimer);
  refreshTimer = setTimeout(refresh, milliseconds);
}

// Looking again extends the sign-in, so it is looked at only once it should be over, or when the user
// comes back to the page.
function watchExpiry(seconds) {
  clearTimeout(refreshTimer);
  if (!(seconds > 0)) {
    at("member-expiry").textContent = "";
    return;
  }
  const until = new Date(Date.now() + seconds * 1000);
  const time = until.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  at("member-expiry").textContent = `You stay signed in until ${time}, and longer while you are here.`;
  refreshLater((seconds + 1) * 1000);
}

async function refresh() {
  try {
    const result = await call("GET", "/api/me");
    if (result.status === 200) {
      showMember(result.answer, Number(result.headers.get("Session-Max-Age")));
    } else if (result.status === 401) {
      showVisitor(member ? "Your sign-in has ended. Sign in again." : "", {
        focus: member !== null,
      });
    } else {
      at("offline").textContent = wordsFor(result);
      at("offline").hidden = false;
      refreshLater(retryAfterMs);
    }
  } catch (error) {
    if (!(error instanceof Offline)) {
      throw error;
    }
    showOffline(true);
    refreshLater(retryAfterMs);
  }
}

async function signIn(email, password) {
  const result = await call("POST", "/api/login", { email, password });
  if (result.status !== 200) {
    return result;
  }
  await refresh();
  return null;
}

// The same registration has the same key until it is answered: if it was done, and only the answer
// was lost, sending it again is answered like the first time.
function keyOf(email, password) {
  if (unanswered?.email !== email || unanswered.password !== password) {
    const random = crypto.getRandomValues(new Uint8Array(16));
    const key = Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("");
    unanswered = { email, password, key };
  }
  return unanswered.key;
}

async function register(email, password) {
  const headers = { "Idempotency-Key": keyOf(email, password) };
  const result = await call("POST", "/api/register", { email, password }, headers);
  if (result.status < 500) {
    unanswered = null;
  }
  return result;
}

async function submit() {
  const email = at("email").value.trim();
  const password = at("password").value;
  if (/[^ -~]/.test(email)) {
    return showError("invalid_email", words.not_ascii);
  }
  if (email === "" || email.length > emailLimit || !at("email").checkValidity()) {
    return showError("invalid_email", words.invalid_email);
  }
  if (registering && [...password].length < 8) {
    return showError("weak_password", words.weak_password);
  }
  if (new TextEncoder().encode(password).length > passwordLimitBytes) {
    return registering
      ? showError("password_too_long", words.password_too_long)
      : showError("invalid_credentials", words.invalid_credentials);
  }
  if (password === "") {
    return showError("weak_password", "Enter your password.");
  }
  if (registering) {
    const result = await register(email, password);
    if (result.status !== 201) {
      return showError(result.answer.error, wordsFor(result));
    }
  }
  const refused = await signIn(email, password);
  if (refused) {
    if (registering) {
      setMode(false);
      at("visitor-news").textContent = "Your account is ready.";
    }
    showError(refused.answer.error, wordsFor(refused));
    at("password").focus();
  }
}

async function whileBusy(work, place) {
  if (busy) {
    return;
  }
  clearErrors();
  at("visitor-news").textContent = "";
  setBusy(true);
  try {
    await work();
  } catch (error) {
    if (!(error instanceof Offline)) {
      throw error;
    }
    showOffline(false);
    at(place).textContent = "No answer came: the server cannot be reached.";
  } finally {
    setBusy(false);
  }
}

at("form").addEventListener("submit", (event) => {
  event.preventDefault();
  whileBusy(submit, "form-error");
});

at("logout").addEventListener("click", () =>
  whileBusy(async () => {
    const result = await call("POST", "/api/logout");
    if (result.status === 204) {
      showVisitor("You are signed out.");
    } else {
      at("member-error").textContent = wordsFor(result);
    }
  }, "member-error"));

at("switch").addEventListener("click", () => {
  if (busy) {
    return;
  }
  at("visitor-news").textContent = "";
  setMode(!registering);
  at("email").focus();
});

at("reveal").addEventListener("click", () => setReveal(at("password").type === "password"));

document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible" && member) {
    refresh();
  }
});

refresh();
