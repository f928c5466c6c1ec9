"use strict";

const byId = (id) => document.getElementById(id);
let state = null;
let at = 0;          // the question that is shown; one beyond the last when all is done
let busy = false;
let ready = false;   // whether the picture in question can be seen, or is known to be gone
const pictures = new Map();   // by question: the picture that is shown and the next one

async function ask(place, body) {
  const options = body === undefined ? {} : {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  };
  const response = await fetch(place, options);
  const content = await response.json();
  if (!response.ok) throw new Error(content.error);
  return content;
}

/* Nothing is shown as kept before the server says that it is. */
async function keep(work) {
  if (busy) return;
  busy = true;
  try {
    await work();
    byId("trouble").hidden = true;
  } catch (error) {
    byId("trouble").textContent = `Not kept: ${error.message}. Is the command still running?`;
    byId("trouble").hidden = false;
  } finally {
    busy = false;
  }
  show();
}

const firstOpen = (from) => {
  const open = state.answers.findIndex((answer, number) => number >= from && answer === null);
  return open >= 0 ? open : state.answers.indexOf(null);
};

function choose(value) {
  const question = at;
  if (question >= state.questions.length || !ready) return;
  keep(async () => {
    await ask("answer", { question, value });
    const again = state.answers[question] !== null;
    state.answers[question] = { value };
    at = again ? question + 1 : firstOpen(question);
    if (at < 0) at = state.questions.length;
  });
}

const undo = () => keep(async () => {
  const { question } = await ask("undo", {});
  if (question === null) return;
  state.answers[question] = null;
  at = question;
});

function go(step) {
  at = Math.min(Math.max(at + step, 0), state.questions.length);
  show();
}

/* A value as people say it: an underscore would be read, and lines do not break there. */
const said = (value) => value === null ? "cannot tell" : value.replaceAll("_", " ");

function button(key, text, value, pressed) {
  const made = document.createElement("button");
  made.type = "button";
  made.dataset.value = value === null ? "" : value;
  made.setAttribute("aria-pressed", String(pressed));
  if (key) {
    const hint = document.createElement("kbd");
    hint.textContent = key;
    made.append(hint);
    made.setAttribute("aria-keyshortcuts", key);
  }
  made.append(document.createTextNode(text));
  made.addEventListener("click", () => choose(value));
  return made;
}

function show() {
  const total = state.questions.length;
  const answered = state.answers.filter((answer) => answer !== null).length;
  byId("who").textContent = `Annotator: ${state.annotator}`;
  byId("progress").max = total;
  byId("progress").value = answered;
  byId("progress-label").textContent = `${answered} of ${total} labelled`;
  const done = at >= total;
  byId("panel").hidden = byId("stage").hidden = done;
  byId("done").hidden = !done;
  if (done) {
    byId("done").focus();
    return;
  }
  const attribute = state.questions[at];
  const answer = state.answers[at];
  byId("question").textContent = `Which perceived ${attribute}?`;
  const given = answer === null ? "" : `, labelled: ${said(answer.value)}`;
  byId("given").textContent = `Question ${at + 1} of ${total}${given}`;
  const values = state.attributes[attribute];
  byId("values").replaceChildren(
    ...values.map((value, place) => button(place < 9 ? String(place + 1) : "", said(value), value,
      answer !== null && answer.value === value)),
    button("0", "Cannot tell", null, answer !== null && answer.value === null),
  );
  byId("back").disabled = at === 0;
  showPicture();
}

function pictureOf(question) {
  if (!pictures.has(question)) {
    const picture = new Image();
    picture.id = "picture";
    picture.alt = `The picture of question ${question + 1} of ${state.questions.length}`;
    picture.draggable = false;
    picture.src = `image/${question}`;
    pictures.set(question, picture);
  }
  return pictures.get(question);
}

/* Every picture is an element of its own, hidden until it can be painted: the one before is never in view. */
function showPicture() {
  const question = at;
  const picture = pictureOf(question);
  if (byId("picture") === picture) return;
  waitFor(picture);
  picture.decode().then(() => "", () => "This picture cannot be shown any more. Choose “Cannot tell”.")
    .then((trouble) => {
      if (byId("picture") !== picture) return;
      picture.hidden = trouble !== "";
      byId("gone").textContent = trouble;
      byId("gone").hidden = !picture.hidden;
      setReady(true);
    });
  for (const other of pictures.keys()) if (other !== question && other !== question + 1) pictures.delete(other);
  if (question + 1 < state.questions.length) pictureOf(question + 1);
}

function waitFor(picture) {
  picture.hidden = true;
  byId("gone").hidden = true;
  byId("picture").replaceWith(picture);
  setReady(false);
}

function setReady(now) {
  ready = now;
  byId("stage").setAttribute("aria-busy", String(!now));
}

byId("back").addEventListener("click", () => go(-1));
byId("next").addEventListener("click", () => go(1));
byId("undo").addEventListener("click", undo);
byId("review").addEventListener("click", () => go(-1));

document.addEventListener("keydown", (event) => {
  if (state === null || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const values = state.attributes[state.questions[at]] || [];
  const key = event.key.toLowerCase();
  if (/^[1-9]$/.test(key)) {
    if (Number(key) <= values.length) choose(values[Number(key) - 1]);
  } else if (key === "0" || key === "u") choose(null);
  else if (key === "backspace" || key === "z") undo();
  else if (key === "arrowleft") go(-1);
  else if (key === "arrowright") go(1);
  else return;
  event.preventDefault();
});

ask("state").then((found) => {
  state = found;
  at = firstOpen(0);
  if (at < 0) at = state.questions.length;
  show();
}).catch((error) => {
  byId("question").textContent = `This page cannot be opened: ${error.message}`;
});
