// The interface as a page, drawn from openapi.json alone: a hospital network may reach no other host.

function element(tag, text, ...children) {
  const node = document.createElement(tag);
  if (text) node.textContent = text;
  node.append(...children);
  return node;
}

function table(heads, rows) {
  const head = element("tr", "", ...heads.map((text) => element("th", text)));
  const body = rows.map((row) => element("tr", "", ...row.map((text) => element("td", text))));
  return element("table", "", element("thead", "", head), element("tbody", "", ...body));
}

function limits(described) {
  const schema = described.anyOf?.[0] ?? described; // what may be left out is that, or null
  const values = schema.enum ? [schema.enum.join(", ")] : [schema.type ?? ""];
  if (schema.minimum !== undefined) values.push(`${schema.minimum} to ${schema.maximum}`);
  return values.join(", ");
}

function parameters(operation) {
  const rows = (operation.parameters ?? []).map(({ name, schema, description }) => [
    name, limits(schema), String(schema.default ?? ""), description ?? "",
  ]);
  return rows.length ? [element("h3", "Query"), table(["name", "values", "default", ""], rows)] : [];
}

function body(operation) {
  const content = Object.keys(operation.requestBody?.content ?? {});
  return content.length ? [element("h3", "Body"), element("p", `${operation.requestBody.description} ${content.join(", ")}`)] : [];
}

function answers(operation) {
  const rows = Object.entries(operation.responses).map(([status, { description, content }]) => [
    status, description, Object.keys(content ?? {}).join(", "),
  ]);
  return [element("h3", "Answers"), table(["status", "", "media type"], rows)];
}

function section(path, method, operation) {
  const card = element("section", "", element("h2", `${method.toUpperCase()} ${path}`), element("p", operation.description));
  card.className = "card";
  card.append(...parameters(operation), ...body(operation), ...answers(operation));
  return card;
}

function schemas(components) {
  const card = element("section", "", element("h2", "Schemas"));
  card.className = "card";
  for (const [name, schema] of Object.entries(components.schemas)) {
    const rows = Object.entries(schema.properties ?? {}).map(([key, value]) => [key, JSON.stringify(value)]);
    card.append(element("details", "", element("summary", name), element("p", schema.description), table(["field", "schema"], rows)));
  }
  return card;
}

const contract = await (await fetch("openapi.json")).json();
const main = document.getElementById("operations");
for (const [path, methods] of Object.entries(contract.paths)) {
  for (const [method, operation] of Object.entries(methods)) main.append(section(path, method, operation));
}
main.append(schemas(contract.components));
