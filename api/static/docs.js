// Lists the operations of the OpenAPI document, each with a form to try it.
const at = (id) => document.getElementById(id);
const element = (name, properties = {}, ...children) => {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
};

const openapi = await (await fetch("/openapi.json")).json();
const resolve = (schema) => schema?.$ref ? openapi.components.schemas[schema.$ref.split("/").pop()] : schema;

/** An example body for a schema. */
function example(schema, depth = 0) {
  schema = resolve(schema) ?? {};
  if (schema.example !== undefined) return schema.example;
  if (schema.enum) return schema.enum[0];
  const one = schema.oneOf ?? schema.anyOf ?? schema.allOf;
  if (one && depth < 4) return example(one.find((s) => s.type !== "null"), depth + 1);
  const type = Array.isArray(schema.type) ? schema.type[0] : schema.type;
  if (type === "object" && depth < 4) return Object.fromEntries(Object.entries(schema.properties ?? {}).map(([k, v]) => [k, example(v, depth + 1)]));
  if (type === "array") return [];
  if (type === "integer" || type === "number") return 0;
  if (type === "boolean") return false;
  return "";
}

function operation(method, path, op) {
  const fields = (op.parameters ?? []).map((parameter, index) => {
    const id = `${op.operationId}-${method}-${index}`;
    const input = element("input", { id, autocomplete: "off", spellcheck: false });
    const label = element("label", { htmlFor: id, textContent: `${parameter.name} (${parameter.in})` });
    return { parameter, input, nodes: [label, input, element("p", { className: "hint", textContent: parameter.description ?? "" })] };
  });
  const schema = op.requestBody?.content?.["application/json"]?.schema;
  const body = schema && element("textarea", { id: `${op.operationId}-${method}-body`, spellcheck: false, value: JSON.stringify(example(schema), null, 2) });
  const output = element("pre", { hidden: true });
  const form = element("form", {}, ...fields.flatMap((field) => field.nodes),
    ...(body ? [element("label", { htmlFor: body.id, textContent: "Body" }), body] : []),
    element("div", { className: "row" }, element("button", { type: "submit", className: "main", textContent: "Send" })), output);
  form.addEventListener("submit", (event) => { event.preventDefault(); send(method, path, fields, body, output); });
  const answers = element("table", {}, element("tbody", {}, ...Object.entries(op.responses ?? {}).map(([status, response]) =>
    element("tr", {}, element("td", { className: "mono", textContent: status }), element("td", { textContent: response.description })))));
  const needs = (op.security ?? []).some((one) => "access_token" in one) ? " · access token" : "";
  return element("details", {},
    element("summary", {}, element("span", { className: "method", textContent: method.toUpperCase() }), element("code", { textContent: path }), ` ${op.summary ?? ""}${needs}`),
    element("p", { textContent: op.description ?? "" }), answers, form);
}

/** The text of a streamed answer, piece by piece (not every browser iterates over streams). */
async function* pieces(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let read = await reader.read(); !read.done; read = await reader.read()) yield read.value;
}

async function send(method, path, fields, body, output) {
  const query = new URLSearchParams();
  const headers = {};
  for (const { parameter, input } of fields) {
    if (!input.value) continue;
    if (parameter.in === "path") path = path.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
    if (parameter.in === "query") query.set(parameter.name, input.value);
    if (parameter.in === "header") headers[parameter.name] = input.value;
  }
  if (at("token").value) headers.Authorization = `Bearer ${at("token").value}`;
  if (body) headers["Content-Type"] = "application/json";
  output.hidden = false;
  output.textContent = "…";
  try {
    const response = await fetch(path + (query.size ? `?${query}` : ""), { method: method.toUpperCase(), headers, body: body?.value });
    const head = `${response.status}\n${["etag", "location", "retry-after", "ratelimit", "x-request-id"]
      .filter((name) => response.headers.has(name)).map((name) => `${name}: ${response.headers.get(name)}`).join("\n")}\n\n`;
    if (response.headers.get("content-type")?.startsWith("text/event-stream")) {
      output.textContent = head;
      for await (const chunk of pieces(response)) output.append(chunk);
      return;
    }
    const text = await response.text();
    let shown = text;
    try {
      const answer = JSON.parse(text);
      if (answer.access_token) at("token").value = answer.access_token;
      shown = JSON.stringify(answer, null, 2);
    } catch { /* not JSON: shown as it came */ }
    output.textContent = head + shown;
  } catch (error) {
    output.textContent = String(error);
  }
}

const groups = (openapi.tags ?? []).map((tag) => {
  const list = Object.entries(openapi.paths).flatMap(([path, item]) => Object.entries(item)
    .filter(([, op]) => op?.tags?.includes(tag.name)).map(([method, op]) => operation(method, path, op)));
  return [element("h2", { textContent: tag.name }), element("p", { className: "hint", textContent: tag.description ?? "" }), ...list];
});
at("operations").replaceChildren(...groups.flat());
