// Shows /openapi.json: each operation with its answers, and the schemas they name.

function element(tag, content = "", attributes = {}) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...[content].flat());
  return made;
}

const nameOf = (reference) => reference.split("/").at(-1);

function typeOf(schema) {
  if (!schema) return "";
  if (schema.$ref) {
    const name = nameOf(schema.$ref);
    return element("a", name, { href: `#${name}` });
  }
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" or ");
  if (schema.anyOf) return spaced(schema.anyOf.map(typeOf), " or ");
  if (schema.type === "array") return element("span", ["array of ", typeOf(schema.items)]);
  if (schema.additionalProperties) {
    return element("span", ["object of ", typeOf(schema.additionalProperties)]);
  }
  return schema.type ?? "any";
}

function spaced(parts, separator) {
  return element("span", parts.flatMap((part, at) => (at ? [separator, part] : [part])));
}

function table(headings, rows) {
  const head = element("tr", headings.map((text) => element("th", text)));
  const body = rows.map((cells) => element("tr", cells.map((cell) => element("td", cell))));
  return element("div", element("table", [head, ...body]), { class: "wide" });
}

/** A command to be copied; names in braces are to be put in. */
function commandOf(path, method, described) {
  const parts = [`curl -H "Authorization: Bearer $TOKEN"`];
  if (method !== "get") parts.push(`-X ${method.toUpperCase()}`);
  const body = described.requestBody?.content?.["application/json"]?.example;
  if (body) parts.push(`--json '${JSON.stringify(body).replaceAll("'", "\\u0027")}'`);
  return [...parts, `'${location.origin}${path}'`].join(" ");
}

function operation(path, method, described) {
  const title = element("summary", [
    element("span", method.toUpperCase(), { class: "method" }),
    element("code", path),
    ` ${described.summary ?? ""}`,
  ]);
  const answers = Object.entries(described.responses).map(([status, answer]) => {
    const content = Object.entries(answer.content ?? {}).map(([type, { schema }]) =>
      element("span", [`${type}: `, typeOf(schema)]),
    );
    return [status, answer.description, spaced(content, ", ")];
  });
  const parameters = (described.parameters ?? []).map((parameter) => [
    element("code", parameter.name),
    typeOf(parameter.schema),
    parameter.description ?? "",
  ]);
  const command = commandOf(path, method, described);
  return element("details", [
    title,
    element("p", described.description ?? ""),
    ...(parameters.length ? [table(["Parameter", "Type", "Meaning"], parameters)] : []),
    table(["Status", "Meaning", "Content"], answers),
    element("pre", command),
  ]);
}

function schema(name, described) {
  const required = new Set(described.required ?? []);
  const rows = Object.entries(described.properties ?? {}).map(([field, of]) => [
    element("code", required.has(field) ? field : `${field}?`),
    typeOf(of),
    of.description ?? "",
  ]);
  const title = element("summary", element("code", name));
  const parts = [title, element("p", described.description ?? "")];
  return element("details", [...parts, table(["Field", "Type", "Meaning"], rows)], { id: name });
}

function openTarget() {
  const target = document.getElementById(location.hash.slice(1));
  if (target?.tagName === "DETAILS") target.open = true;
}

async function show() {
  const description = document.getElementById("description");
  const answer = await fetch("/openapi.json").catch(() => null);
  if (!answer?.ok) {
    description.textContent = "The description of the API could not be read. Reload the page.";
    return;
  }
  const api = await answer.json();
  description.textContent = api.info.description;
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, described] of Object.entries(methods)) {
      document.getElementById("operations").append(operation(path, method, described));
    }
  }
  for (const [name, described] of Object.entries(api.components?.schemas ?? {})) {
    document.getElementById("schemas").append(schema(name, described));
  }
  openTarget();
}

addEventListener("hashchange", openTarget);
show();
