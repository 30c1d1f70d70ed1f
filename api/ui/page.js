// The page: one file goes to /v1/explain, and the answer is shown as it came. Nothing is judged or computed here.

const HALVES = {
  image_left: "image-left (in a standard frontal view the patient's right)",
  image_right: "image-right (in a standard frontal view the patient's left)",
};
const MEANS_NOTHING = "The result means nothing then; it is shown because this gateway does not refuse such images.";
const QUALITY_WARNINGS = {
  not_a_chest_radiograph: `This does not look like a chest radiograph. ${MEANS_NOTHING}`,
  not_a_radiograph: `The DICOM file says that this is no radiograph. ${MEANS_NOTHING}`,
  other_body_part: `The DICOM file says that this is another part of the body than the chest. ${MEANS_NOTHING}`,
  unlike_training_data: "The image is unlike the radiographs that the model has learned from, and the model may be wrong here.",
  lungs_not_found: "No lungs were found as they appear in a frontal chest radiograph.",
  rotated: "The radiograph seems to be rotated. The model has learned from upright ones.",
  inverted: "Black and white seem to be inverted. The model has learned from radiographs with white bones.",
  lateral: "This seems to be a lateral view, or another that is not frontal. The model has learned from frontal views.",
  mirrored: "The DICOM file says that the radiograph is mirrored: image-left is the patient's left here.",
  orientation_unknown: "The DICOM file does not clearly say how the radiograph is oriented: its sides may be the other way round.",
  view_unknown: "The DICOM file does not clearly say that the view is frontal. Only the pixels were looked at for that.",
  body_part_unknown: "The DICOM file does not clearly say that this is a chest. Only the pixels were looked at for that.",
  modality_unknown: "The DICOM file does not clearly say that this is a radiograph. Only the pixels were looked at for that.",
  burned_in_annotation:
    "The DICOM file says that text about the patient is burned into the image. The pictures of the explanation show it " +
    "too, and the model may react to it.",
  for_processing:
    "The DICOM file holds an image for processing, not for presentation. The model has learned from radiographs " +
    "prepared for viewing.",
};
const EXPLAINING_MODEL = "classifier_explain";
const ITS_METHODS = ["saliency", "grad_cam", "grad_cam_plus_plus", "layers"];
const LUNG_MODEL = "lung_segmenter";
const ON_THE_SCORE = ["saliency", "grad_cam", "grad_cam_plus_plus", "occlusion"];
const METHOD_NAMES = {
  silhouette: "Silhouette",
  gradient: "Gradient",
  saliency: "Saliency",
  grad_cam: "Grad-CAM",
  grad_cam_plus_plus: "Grad-CAM++",
  occlusion: "Occlusion",
};
const FLAGS = {
  outside_lungs: "lies mostly outside the lungs",
  contradicting: "contradicts another method",
  unstable: "changes when the image is moved slightly",
  constant: "marks nothing in this image",
  non_finite: "could not be computed",
  independent_of_classifier: "does not look at the model",
  fails_randomisation: "hardly depends on what the model has learned",
  unfaithful: "picks areas that matter to the model no more than the rest",
};
const MEASURES = [
  ["lung_energy", "In the lungs", percent],
  ["stability", "Stability", short],
  ["deletion", "Mean when hiding", percent],
  ["insertion", "Mean when showing", percent],
];
const FILLS = {
  blur: "blurred beyond recognition",
  mean: "filled with the mean of what lies around it",
  black: "blacked out",
};
const [PREAMBLE_BYTES, SIGNATURE] = [128, "DICM"]; // how a DICOM file begins (PS3.10, section 7.1)
const DIGITS_SHOWN = 12;
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
let lungsServed = true; // until the gateway says otherwise

form.addEventListener("submit", (event) => {
  event.preventDefault();
  submit(file.files[0]);
});
file.addEventListener("change", startOver);
part("methods").addEventListener("change", fitForm);
fitForm();
greyOutMissing();
document.addEventListener("dragover", onDragOver);
document.addEventListener("dragleave", onDragLeave);
document.addEventListener("drop", onDrop);

/** Ask for one explanation at least, and offer those options only that do something for the ones chosen. */
function fitForm() {
  const chosen = chosenMethods();
  methodBoxes()[0].setCustomValidity(chosen.length ? "" : "Choose at least one explanation.");
  part("regions").disabled = !chosen.includes("silhouette") && !chosen.includes("occlusion");
  part("lungs").disabled = !chosen.includes("silhouette") || !lungsServed;
  part("fill").disabled = !chosen.includes("occlusion");
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
  if (!listed?.models) return;
  const served = listed.models.map((model) => model.name);
  lungsServed = served.includes(LUNG_MODEL);
  part("lungs-missing").hidden = lungsServed;
  const explains = served.includes(EXPLAINING_MODEL);
  for (const box of methodBoxes()) box.disabled = !explains && ITS_METHODS.includes(box.value);
  part("methods-missing").hidden = explains;
  fitForm();
}

/** What is asked for, as the query of /v1/explain. */
function wishes() {
  const query = new URLSearchParams({ methods: chosenMethods().join(",") });
  for (const { id, value, disabled } of [part("regions"), part("fill")]) {
    if (value && !disabled) query.set(id, value);
  }
  if (!part("lungs").disabled && part("lungs").checked) query.set("lungs", "true");
  if (part("full").checked) query.set("trust", "full");
  return query;
}

async function submit(radiograph) {
  startOver();
  const submission = new AbortController();
  awaited = submission;
  setBusy(true);
  const outcome = await ask(radiograph, wishes(), submission.signal);
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
  for (const id of ["original", "region", "assessment", "pictures"]) part(id).replaceChildren();
  if (originalUrl) URL.revokeObjectURL(originalUrl);
  originalUrl = null;
}

function setBusy(busy) {
  button.disabled = busy;
  part("outcome").ariaBusy = String(busy);
  part("status").textContent = busy ? "Reading the radiograph…" : "";
}

/** Ask the gateway. Returns {answer} or {problem}; a problem always has a title and a detail. */
async function ask(radiograph, query, signal) {
  let response;
  try {
    const body = new FormData();
    body.append("image", await declared(radiograph), "radiograph"); // file names can name a patient
    response = await fetch(`v1/explain?${query}`, { method: "POST", headers: { Accept: "application/json" }, body, signal });
  } catch {
    return { problem: UNREACHABLE };
  }
  const content = await response.json().catch(() => null);
  if (response.ok && content) return { answer: content };
  return { problem: { ...unexpected(response), ...content, hint: hint(response) } };
}

/** The same file under its type: DICOM by its content, as the names of such files often have no ending or a wrong one. */
async function declared(radiograph) {
  const found = await radiograph.slice(PREAMBLE_BYTES, PREAMBLE_BYTES + SIGNATURE.length).text();
  const named = radiograph.type.startsWith("image/") ? radiograph.type : "application/octet-stream";
  return radiograph.slice(0, radiograph.size, found === SIGNATURE ? "application/dicom" : named);
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
  showReceipt(answer.receipt);
  const explanations = explanationPictures(answer.explanations);
  part("original").replaceChildren(originalPicture(answer, radiograph));
  part("pictures").replaceChildren(...explanations);
  part("no-explanation").textContent = `No explanation is shown for ${answer.prediction.label}.`;
  part("no-explanation").hidden = explanations.length > 0;
  part("log-odds").hidden = !ON_THE_SCORE.some((method) => answer.explanations[method]?.overlay);
  showAssessment(answer);
  reveal("result");
}

/** Say what the explanations say together, and how far to trust each; nothing if there are none. */
function showAssessment({ trust, affected_region: region }) {
  part("assessment").hidden = trust === null;
  part("trust").hidden = trust === null || Object.keys(trust.methods).length === 0;
  part("region").replaceChildren(...(region?.overlay ? [regionPicture(region)] : []));
  const judged = Object.entries(trust?.methods ?? {});
  const measured = MEASURES.filter(([name]) => judged.some(([, numbers]) => numbers[name] !== null));
  const sentences = trust === null ? [] : trust.text.split(/(?<=\.) /);
  part("assessment").replaceChildren(...sentences.map((sentence) => text("li", sentence)));
  part("trust-columns").replaceChildren(...["Method", ...measured.map(([, title]) => title), "Remarks"].map(heading));
  part("trust-methods").replaceChildren(...judged.map(([method, numbers]) => trustRow(method, numbers, measured)));
  part("trust-full").hidden = !measured.some(([name]) => name === "stability");
}

function heading(title) {
  const cell = text("th", title);
  cell.scope = "col";
  return cell;
}

function trustRow(method, numbers, measured) {
  const name = text("th", METHOD_NAMES[method] ?? method);
  name.scope = "row";
  const values = measured.map(([key, title, words]) => datum(title, numbers[key] === null ? "–" : words(numbers[key])));
  const remarks = numbers.flags.map((flag) => FLAGS[flag] ?? flag).join("; ");
  return group("tr", name, ...values, datum("Remarks", remarks || "–"));
}

/** A cell that knows its column's title, which stands before it where there is no room for columns. */
function datum(title, content) {
  const cell = text("td", content);
  cell.dataset.name = title;
  return cell;
}

function regionPicture({ area_percent_of_lungs: area, side, zone, methods, overlay }) {
  const where = side === "both" ? "both sides" : HALVES[side] ?? side;
  const names = methods.map((method) => METHOD_NAMES[method] ?? method).join(", ");
  const third = zone.length === 3 ? "all thirds" : `${zone.join(" and ")} third${zone.length > 1 ? "s" : ""}`;
  const pointed = methods.length > 1 ? "these methods point together" : "this method points";
  return picture("Affected region", source(overlay), `The radiograph with a line around a region of the lungs: ${third}.`, [
    `${percent(area / 100)} of the lungs: ${where}, ${third} of their height.`,
    `Marked by ${names}. The line shows where ${pointed}, not that there is disease.`,
  ]);
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
  return named.map(term);
}

function term([name, value]) {
  return group("div", text("dt", name), text("dd", value));
}

/** Which models said this of which file: in short, to be noted down, and in full. */
function showReceipt(receipt) {
  const { input_sha256: digest, keyed, model, service_version: service } = receipt;
  part("receipt-short").textContent =
    `Receipt: ${model.name} ${model.version}, service ${service}, file ${digest.slice(0, DIGITS_SHOWN)}…` +
    (keyed ? " (keyed)" : "");
  part("receipt-terms").replaceChildren(...receiptTerms(receipt).map(term));
}

function receiptTerms({ input_sha256: digest, keyed, model, other_models: others, service_version: service, mac }) {
  return [
    [keyed ? "File, HMAC-SHA256 under this site's key" : "File, SHA-256 without a key", digest],
    ...[model, ...others].map((each) => [
      `Model ${each.name}, version ${each.version}, SHA-256 of its file`,
      each.sha256 ?? "not published",
    ]),
    ["Service version", service],
    ...(mac === null ? [] : [["Receipt, HMAC-SHA256 under this site's key", mac]]),
  ];
}

function originalPicture({ input, explanations }, radiograph) {
  const lines = [`As sent: ${radiograph.name}`];
  if (input.format === "dicom") {
    const drawn = Object.values(explanations).some(({ overlay }) => overlay);
    const seen = drawn ? " The explanations are drawn on the radiograph in it." : "";
    return undrawn("Original", `A browser cannot show a DICOM file.${seen}`, lines);
  }
  if (input.bit_depth > 8) lines.push("The browser may show this 16-bit image darker than the model sees it.");
  originalUrl = URL.createObjectURL(radiograph);
  return picture("Original", { ...input, url: originalUrl }, "The radiograph as it was sent.", lines);
}

function explanationPictures(explanations) {
  const makers = {
    silhouette: silhouettePicture,
    gradient: gradientPicture,
    saliency: saliencyPicture,
    grad_cam: (map) => camPicture("Grad-CAM", map),
    grad_cam_plus_plus: (map) => camPicture("Grad-CAM++", map, "Its numbers do not add up to the model's score."),
    occlusion: occlusionPicture,
    layers: ({ layers }) => layers.map(layerPicture),
  };
  const made = Object.keys(makers).filter((method) => explanations[method]);
  return made.flatMap((method) => makers[method](explanations[method]));
}

function silhouettePicture({ rule, half, quadrant, scores, regions, borders, overlay }) {
  if (!overlay) return undrawn("Silhouette", "No lungs were found in this image, so no region is named or drawn.");
  if (rule === "study") return studyPicture(half, quadrant, scores, overlay);
  const { name, score } = regions.find(({ rank }) => rank === 1);
  const brightest = `The brightest of ${regions.length} regions: ${place(name)}; ${HALVES[half] ?? half}.`;
  const lines = rule === "lungs" ? lungLines(score, borders) : [gridLine(score, regions.length)];
  const alt = `The radiograph with a grid of ${regions.length} regions and a box around the brightest: ${place(name)}.`;
  return picture("Silhouette", source(overlay), alt, [brightest, ...lines]);
}

function studyPicture(half, quadrant, scores, overlay) {
  const alt = `The radiograph with a box around its ${place(quadrant)} quadrant.`;
  return picture("Silhouette", source(overlay), alt, [
    `The whiter half: ${HALVES[half] ?? half}. Its whiter quadrant: ${place(quadrant)}.`,
    `The half holds ${percent(scores[half])} of the brightness of both halves, the quadrant ` +
      `${percent(scores[quadrant])} of the half's.`,
  ]);
}

function gridLine(score, count) {
  return `It holds ${percent(score)} of the brightness of all; an equal share would be ${percent(1 / count)}.`;
}

function lungLines(score, borders) {
  const lines = [`The lung in it has a mean grey level of ${short(score)}, where 0 is black and 255 is white. Green: the lungs.`];
  return borders?.length ? [...lines, ...borderLines(borders)] : lines;
}

/** Sharpness in the only terms that mean something without the film beside it, and how little it tells. */
function borderLines(borders) {
  const shares = borders.map(({ border, side, normals_less_sharp: share }) => `${percent(share)} (${border}, ${dashed(side)})`);
  const aucs = borders.map(({ auc }) => auc);
  const [least, most] = [Math.min(...aucs), Math.max(...aucs)].map((auc) => auc.toFixed(2));
  return [
    `Blue: borders. They are sharper than in ${shares.join(", ")} of normal children.`,
    `A blurred border alone tells little: it told PNEUMONIA from NORMAL with an AUC of ` +
      `${least === most ? least : `${least} to ${most}`} in children, where 0.5 is chance, and not at all in adults.`,
  ];
}

function gradientPicture({ threshold, coverage, constant, overlay }) {
  if (constant) {
    return picture("Gradient", source(overlay), "The radiograph; no pixel is marked.", [
      "All pixels of this image are equally important, so none is shown.",
    ]);
  }
  const shown = `${percent(coverage)} of the image`;
  return picture("Gradient", source(overlay), `The radiograph with ${shown} marked as dominant pixels.`, [
    `In colour: pixels of an importance of ${threshold.toFixed(2)} to 1, ${shown}; from deep orange to pale yellow, ` +
      "the brightest is the most important.",
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
    `The strongest part, from ${Math.round(map.threshold * 100)}% of this map's maximum: ${percent(map.coverage)} of the image.`,
  ]);
  figure.querySelector("img").after(colourBar(map));
  return figure;
}

function occlusionPicture({ regions, half, quadrant, fill, none, scale, unit, overlay }) {
  const title = "Occlusion";
  const hidden = `What the model's score loses when a region is ${FILLS[fill] ?? fill}.`;
  if (none) {
    const reason = "Hiding a region lowers the score nowhere. The method points at no region, so nothing is drawn.";
    return undrawn(title, reason, [hidden]);
  }
  const boxed = quadrant ?? half ?? regions.find(({ rank }) => rank === 1).name; // as the overlay has it
  const strongest = regions.find(({ name }) => name === boxed);
  const where = place(strongest.name);
  const alt = `The radiograph with its regions coloured by what hiding them takes away, most at: ${where}.`;
  const figure = picture(title, source(overlay), alt, [
    hidden,
    `Most is lost at the box: ${where}, ${short(strongest.drop)} ${unit}.` +
      (half && half !== boxed ? ` Of the halves, most is lost with ${dashed(half)}.` : ""),
    "Part of every loss comes from hiding anything at all: compare the regions with each other. No colour, no loss.",
  ]);
  const bar = colourBar({ scale, unit });
  bar.firstChild.classList.add("regions");
  figure.querySelector("img").after(bar);
  return figure;
}

function layerPicture({ layer, size, channels, scale, signed, non_finite: nonFinite, montage }, index, layers) {
  const title = `Layer ${index + 1} of ${layers.length}`;
  if (nonFinite) return undrawn(title, "The model's arithmetic failed for this layer, so it is not drawn.");
  const strongest = channels.length > 1 ? `The ${channels.length} strongest channels` : "The strongest channel";
  const figure = picture(title, source(montage), `Feature maps of channels ${channels.join(", ")} of ${layer}.`, [
    `${strongest} of ${layer.split("/").at(-2) ?? layer}, each ${size.width} × ${size.height}, row by row from the strongest.`,
    ...(signed ? ["Some values are negative: the colours show how large they are, whatever their sign."] : []),
    ...(index === 0 ? ["Layers show what the network makes of the image, not what speaks for PNEUMONIA."] : []),
  ]);
  const bar = colourBar({ scale, unit: "activation" });
  bar.firstChild.classList.add("solid");
  figure.querySelector("img").after(bar);
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

/** A region's name in words: "upper left", or of a cell without such a name its row and column. */
function place(name) {
  const cell = /^row_(\d+)_column_(\d+)$/.exec(name);
  if (cell) return `row ${cell[1]}, column ${cell[2]} from the upper left`;
  const words = name.replace(/^image_/, "").replaceAll("_", " ");
  return name in HALVES ? `${words} half` : words;
}

function dashed(side) {
  return side.replace("_", "-");
}

function undrawn(title, reason, lines = []) {
  const space = text("div", reason);
  space.className = "undrawn";
  return group("figure", space, caption(title, lines));
}

function picture(title, { url, width, height }, alt, lines) {
  const image = new Image(width, height); // the size keeps the page from jumping when the picture arrives
  image.src = url;
  image.alt = alt;
  return group("figure", image, caption(title, lines));
}

function caption(title, lines) {
  return group("figcaption", text("strong", title), ...lines.map((line) => text("span", line)));
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
