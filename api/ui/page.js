// The page: one file goes to /v1/explain, and the answer is shown as it came. Nothing is judged or computed here.

const HALVES = {
  image_left: "image-left: the viewer's left, which in a standard frontal view is the patient's right",
  image_right: "image-right: the viewer's right, which in a standard frontal view is the patient's left",
};
const QUADRANTS = {
  image_upper_left: "upper left",
  image_lower_left: "lower left",
  image_upper_right: "upper right",
  image_lower_right: "lower right",
};
const QUALITY_WARNINGS = {
  not_a_chest_radiograph:
    "This does not look like a chest radiograph. The result means nothing then; it is shown because this gateway " +
    "does not refuse such images.",
  unlike_training_data: "The image is unlike the radiographs that the model has learned from, and the model may be wrong here.",
  lungs_not_found: "No lungs were found as they appear in a frontal chest radiograph.",
  rotated: "The radiograph seems to be rotated. The model has learned from upright ones.",
  inverted: "Black and white seem to be inverted. The model has learned from radiographs with white bones.",
  lateral: "This seems to be a lateral view. The model has learned from frontal views.",
};
const EXPLAINING_MODEL = "classifier_explain";
const ITS_METHODS = ["saliency", "grad_cam", "grad_cam_plus_plus"];
const TRY_AGAIN = [429, 503, 504];
const UNREACHABLE = {
  title: "The gateway could not be reached",
  detail: "The connection failed, or the file can no longer be read. Check both and try again.",
};
const UNSHOWABLE = {
  title: "The answer could not be shown",
  detail: "This page and the gateway may be of different versions. Reload the page and try again.",
};
const SEVERAL_FILES = {
  title: "One radiograph at a time",
  detail: "Drop exactly one file.",
};

const part = (id) => document.getElementById(id);
const [form, file, button, drop] = ["form", "file", "submit", "drop"].map(part);

let awaited = null; // AbortController of the submission whose answer is still wanted
let originalUrl = null;

form.addEventListener("submit", (event) => {
  event.preventDefault();
  submit(file.files[0]);
});
file.addEventListener("change", startOver);
part("methods").addEventListener("change", requireMethod);
greyOutMissing();
document.addEventListener("dragover", onDragOver);
document.addEventListener("dragleave", onDragLeave);
document.addEventListener("drop", onDrop);

/** Ask for one explanation at least. */
function requireMethod() {
  const [first] = methodBoxes();
  first.setCustomValidity(chosenMethods().length ? "" : "Choose at least one explanation.");
}

function methodBoxes() {
  return [...part("methods").querySelectorAll("input")];
}

function chosenMethods() {
  return methodBoxes().filter((box) => box.checked && !box.disabled).map((box) => box.value);
}

/** Offer only what this gateway's models can explain. If they cannot be listed, all is offered and the answer will tell. */
async function greyOutMissing() {
  const listed = await fetch("v1/models").then((response) => response.json()).catch(() => null);
  if (!listed?.models || listed.models.some((model) => model.name === EXPLAINING_MODEL)) return;
  for (const box of methodBoxes()) box.disabled = ITS_METHODS.includes(box.value);
  part("methods-missing").hidden = false;
  requireMethod();
}

async function submit(radiograph) {
  startOver();
  const submission = new AbortController();
  awaited = submission;
  setBusy(true);
  const outcome = await ask(radiograph, chosenMethods(), submission.signal);
  if (awaited !== submission) return; // another file was chosen or submitted meanwhile
  awaited = null;
  setBusy(false);
  show(outcome, radiograph);
}

/** Forget the previous answer, so that it is never seen beside another file's name. */
function startOver() {
  awaited?.abort();
  awaited = null;
  setBusy(false);
  for (const id of ["problem", "result"]) part(id).hidden = true;
  part("pictures").replaceChildren();
  if (originalUrl) URL.revokeObjectURL(originalUrl);
  originalUrl = null;
}

function setBusy(busy) {
  button.disabled = busy;
  part("outcome").ariaBusy = String(busy);
  part("status").textContent = busy ? "Reading the radiograph…" : "";
}

/** Ask the gateway. Returns {answer} or {problem}; a problem always has a title and a detail. */
async function ask(radiograph, methods, signal) {
  const body = new FormData();
  body.append("image", radiograph, "radiograph"); // file names can name a patient
  const query = new URLSearchParams({ methods: methods.join(",") });
  let response;
  try {
    response = await fetch(`v1/explain?${query}`, { method: "POST", headers: { Accept: "application/json" }, body, signal });
  } catch {
    return { problem: UNREACHABLE };
  }
  const content = await response.json().catch(() => null);
  if (response.ok && content) return { answer: content };
  return { problem: { ...unexpected(response), ...content, hint: hint(response) } };
}

function unexpected(response) {
  return {
    title: "The answer could not be read",
    detail: `Something between this page and the gateway answered with status ${response.status}.`,
    request_id: response.headers.get("X-Request-Id"),
  };
}

function hint(response) {
  if (!TRY_AGAIN.includes(response.status)) return "";
  const seconds = Number(response.headers.get("Retry-After"));
  return seconds > 0 ? `Please try again in ${seconds} s or later.` : "Please try again.";
}

function show({ answer, problem }, radiograph) {
  if (problem) {
    showProblem(problem);
    return;
  }
  try {
    showAnswer(answer, radiograph);
  } catch (error) {
    startOver(); // half an answer would be worse than none
    showProblem({ ...UNSHOWABLE, request_id: answer.request_id });
    throw error;
  }
}

function showProblem({ title, detail, hint = "", request_id: requestId }) {
  part("problem-title").textContent = title;
  part("problem-detail").textContent = detail;
  part("problem-hint").textContent = hint;
  part("problem-hint").hidden = !hint;
  part("problem-request").textContent = `Request id: ${requestId}`;
  part("problem-request").hidden = !requestId;
  reveal("problem");
}

function showAnswer(answer, radiograph) {
  part("disclaimer").textContent = answer.disclaimer;
  showVerdict(answer.prediction);
  showQuality(answer.quality);
  part("facts").replaceChildren(...facts(answer));
  originalUrl = URL.createObjectURL(radiograph);
  const explanations = explanationPictures(answer.explanations);
  part("pictures").replaceChildren(originalPicture(answer.input, radiograph.name), ...explanations);
  part("no-explanation").textContent = `No explanation is shown for ${answer.prediction.label}.`;
  part("no-explanation").hidden = explanations.length > 0;
  part("log-odds").hidden = !ITS_METHODS.some((method) => answer.explanations[method]?.overlay);
  part("contradiction").hidden = explanations.length < 2;
  reveal("result");
}

function showVerdict({ label, probability, probabilities, indeterminate, decision_threshold: threshold, prevalence }) {
  part("label").textContent = label;
  part("probability").textContent = `probability ${percent(probability)}${indeterminate ? ", indeterminate" : ""}`;
  part("result-title").classList.toggle("pneumonia", label === "PNEUMONIA");
  part("result-title").classList.toggle("indeterminate", indeterminate);
  part("threshold").textContent =
    `Probability of PNEUMONIA: ${percent(probabilities.PNEUMONIA)}. ` +
    `Decision threshold: ${percent(threshold)}; from there on, the model says PNEUMONIA.` +
    (prevalence === null ? "" : ` Both assume that ${percent(prevalence)} of the radiographs show PNEUMONIA.`);
  part("indeterminate").textContent =
    "Indeterminate: the probability is so close to the decision threshold that the model cannot tell " +
    "NORMAL from PNEUMONIA here. Do not rely on the class above.";
  part("indeterminate").hidden = !indeterminate;
}

/** Say what is unusual about the image, or that nobody looked. */
function showQuality(quality) {
  const warnings = quality?.warnings ?? [];
  const sentences = warnings.map((code) => QUALITY_WARNINGS[code] ?? `The check of the image reports: ${code}.`);
  part("quality-warnings").replaceChildren(...sentences.map((sentence) => text("li", sentence)));
  part("quality").hidden = warnings.length === 0;
  part("unchecked").hidden = quality !== null;
}

function facts({ model, input, request_id: requestId }) {
  const named = [
    ["Model", `${model.name}, version ${model.version} (${model.architecture})`],
    ["Image", `${input.format.toUpperCase()}, ${input.width} × ${input.height} pixels, ${input.bit_depth}-bit`],
    ["Request id", requestId],
  ];
  return named.map(([name, value]) => group("div", text("dt", name), text("dd", value)));
}

function originalPicture(input, name) {
  const lines = [`As sent: ${name}`];
  if (input.bit_depth > 8) lines.push("The browser may show this 16-bit image darker than the model sees it.");
  return picture("Original", { ...input, url: originalUrl }, "The radiograph as it was sent.", lines);
}

function explanationPictures(explanations) {
  const makers = {
    silhouette: silhouettePicture,
    gradient: gradientPicture,
    saliency: saliencyPicture,
    grad_cam: (map) => camPicture("Grad-CAM", map),
    grad_cam_plus_plus: (map) => camPicture("Grad-CAM++", map, "Its numbers do not add up to the model's score."),
  };
  const made = Object.keys(makers).filter((method) => explanations[method]);
  return made.map((method) => makers[method](explanations[method]));
}

function silhouettePicture({ half, quadrant, scores, overlay }) {
  const where = QUADRANTS[quadrant] ?? quadrant;
  return picture("Boxed region", source(overlay), `The radiograph with a box around its ${where} quadrant.`, [
    `Half: ${HALVES[half] ?? half}. Quadrant: ${where}.`,
    `Silhouette method: the whiter half, then its whiter quadrant. The half holds ${percent(scores[half])} of the ` +
      `brightness of both halves, the quadrant ${percent(scores[quadrant])} of the half's.`,
  ]);
}

function gradientPicture({ threshold, coverage, constant, overlay }) {
  if (constant) {
    return picture("Dominant pixels", source(overlay), "The radiograph; no pixel is marked.", [
      "Gradient method: all pixels of this image are equally important, so none is shown.",
    ]);
  }
  const shown = `${percent(coverage)} of the image`;
  return picture("Dominant pixels", source(overlay), `The radiograph with ${shown} marked as dominant pixels.`, [
    `Shown in colour: the pixels whose importance is at least ${threshold.toFixed(2)} ` +
      `on a scale from 0 to 1, ${shown}.`,
    "Gradient method: from deep orange to pale yellow, the brightest is the most important.",
  ]);
}

function saliencyPicture(map) {
  return mapPicture("Saliency", map, [
    "How far the model's score would move if a pixel alone were brighter or darker by one of 255 grey levels. " +
      "Which way it would move is not shown.",
  ]);
}

function camPicture(title, map, ...remarks) {
  const grid = map.heatmap ? `, in a grid of ${map.heatmap.width} × ${map.heatmap.height}, smoothed for display` : "";
  return mapPicture(title, map, [
    `Where the last layer of the network finds what speaks for PNEUMONIA${grid}.`,
    ...remarks,
  ]);
}

/** A map on a fixed scale. One that says nothing is not drawn, and the reason stands in its place. */
function mapPicture(title, map, lines) {
  if (map.non_finite) return undrawn(title, "The model's arithmetic failed for this map, so it is not drawn.");
  if (map.constant) return undrawn(title, "The map is the same everywhere. It says nothing, so it is not drawn.");
  const figure = picture(title, source(map.overlay), `The radiograph with the ${title} map in colour over it.`, [
    ...lines,
    `The strongest part, from ${percent(map.threshold)} of this map's maximum, takes up ${percent(map.coverage)} ` +
      "of the image.",
  ]);
  figure.querySelector("img").after(colourBar(map));
  return figure;
}

function colourBar({ scale: [lowest, upper], unit }) {
  const bar = document.createElement("div");
  bar.className = "bar";
  bar.role = "img";
  bar.ariaLabel = `Colours from none at ${lowest} to pale yellow at ${short(upper)} ${unit}, or more`;
  const row = group("div", bar, text("span", short(lowest)), text("span", `${short(upper)} ${unit}, or more`));
  row.className = "scale";
  return row;
}

function undrawn(title, reason) {
  const place = text("div", reason);
  place.className = "undrawn";
  return group("figure", place, group("figcaption", text("strong", title)));
}

function picture(title, { url, width, height }, alt, lines) {
  const image = new Image(width, height); // the size keeps the page from jumping when the picture arrives
  image.src = url;
  image.alt = alt;
  const caption = group("figcaption", text("strong", title), ...lines.map((line) => text("span", line)));
  return group("figure", image, caption);
}

function source({ media_type: mediaType, width, height, data }) {
  return { url: `data:${mediaType};base64,${data}`, width, height };
}

function group(tag, ...children) {
  const element = document.createElement(tag);
  element.append(...children);
  return element;
}

function text(tag, content) {
  const element = document.createElement(tag);
  element.textContent = content;
  return element;
}

/** A number to three digits. A missing one must not look like a number. */
function short(number) {
  if (!Number.isFinite(number)) throw new TypeError(`There must be a number. Received: ${number}`);
  return String(Number(number.toPrecision(3)));
}

/** A share of 0 to 1 in words that never round to a certainty. A missing one must not look like a number. */
function percent(share) {
  if (!Number.isFinite(share)) throw new TypeError(`A share must be a number. Received: ${share}`);
  if (share > 0 && share < 0.0005) return "under 0.1%";
  if (share >= 0.9995 && share < 1) return "over 99.9%";
  return `${(share * 100).toFixed(1)}%`;
}

/** Show a section and take readers there, with the eye or with a screen reader. */
function reveal(id) {
  part(id).hidden = false;
  part(`${id}-title`).focus({ preventScroll: true });
  part(id).scrollIntoView({ block: "nearest" });
}

function holdsFiles(event) {
  return event.dataTransfer?.types.includes("Files");
}

function onDragOver(event) {
  if (!holdsFiles(event)) return;
  event.preventDefault();
  drop.classList.add("over");
}

function onDragLeave(event) {
  if (!event.relatedTarget) drop.classList.remove("over"); // the pointer left the window
}

function onDrop(event) {
  if (!holdsFiles(event)) return;
  event.preventDefault();
  drop.classList.remove("over");
  startOver();
  if (event.dataTransfer.files.length === 1) {
    file.files = event.dataTransfer.files;
    button.focus();
  } else {
    file.value = "";
    showProblem(SEVERAL_FILES);
  }
}
