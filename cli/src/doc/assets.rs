//! The style of a site, and its search.

/// The style: dark and light by the reader's choice, narrow and wide, with a focus that can be seen.
pub(crate) const STYLE: &str = "\
:root{color-scheme:light dark;--fg:#1b1f24;--dim:#57606a;--bg:#fff;--soft:#f3f4f6;--line:#d0d7de;--link:#0550ae}\
@media(prefers-color-scheme:dark){:root{--fg:#e6edf3;--dim:#9198a1;--bg:#0d1117;--soft:#161b22;--line:#30363d;--link:#79c0ff}}\
*{box-sizing:border-box}\
body{margin:0;font:16px/1.55 system-ui,sans-serif;color:var(--fg);background:var(--bg)}\
a{color:var(--link)}a:focus-visible,input:focus-visible{outline:3px solid var(--link);outline-offset:2px}\
.skip{position:absolute;left:-999px}.skip:focus{left:8px;top:8px;background:var(--bg);padding:8px;z-index:3}\
header{display:flex;gap:16px;align-items:center;flex-wrap:wrap;padding:12px 24px;border-bottom:1px solid var(--line);position:sticky;top:0;background:var(--bg);z-index:2}\
.home{font-weight:600;text-decoration:none;color:var(--fg)}\
#search{position:relative;flex:1;max-width:480px;margin-left:auto}#search[hidden]{display:none}\
#search label{position:absolute;left:-999px}\
#query{width:100%;padding:6px 10px;font:inherit;color:var(--fg);background:var(--soft);border:1px solid var(--line);border-radius:6px}\
#found{position:absolute;left:0;right:0;top:100%;margin:4px 0 0;padding:0;list-style:none;background:var(--bg);border:1px solid var(--line);border-radius:6px;max-height:70vh;overflow:auto}\
#found:empty{display:none}#found a{display:block;padding:6px 10px;text-decoration:none;overflow-wrap:anywhere}#found a:hover,#found a:focus{background:var(--soft)}\
small{color:var(--dim);font-weight:400}\
.columns{display:flex;max-width:1200px;margin:0 auto}\
nav{flex:0 0 240px;padding:24px 16px;overflow-wrap:anywhere;position:sticky;top:64px;align-self:flex-start;max-height:calc(100vh - 64px);overflow-y:auto}nav ul{list-style:none;margin:0;padding:0}nav [aria-current]{font-weight:600;color:var(--fg)}\
main{flex:1;min-width:0;padding:8px 24px 64px}\
h1,h2,h3,h4{line-height:1.25;scroll-margin-top:72px;overflow-wrap:anywhere}h2{margin-top:48px;border-top:1px solid var(--line);padding-top:24px}\
.anchor{color:inherit;text-decoration:none}.anchor:hover{text-decoration:underline}\
pre{background:var(--soft);padding:10px 14px;border-radius:6px;overflow-x:auto}code{font:0.9em ui-monospace,monospace}\
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:6px 10px;border-bottom:1px solid var(--line)}td p{margin:0 0 4px}\
.facts span{background:var(--soft);border:1px solid var(--line);border-radius:10px;padding:1px 8px;font-size:0.85em}\
.uses,.call{color:var(--dim);font-size:0.9em}\
@media(max-width:720px){.columns{display:block}header{padding:12px 16px}nav{position:static;max-height:30vh;padding:12px 16px 0}pre{white-space:pre-wrap;overflow-wrap:anywhere}h1,h2,h3,h4{scroll-margin-top:120px}nav ul{display:flex;flex-wrap:wrap;gap:4px 16px}main{padding:8px 16px 48px}#search{flex-basis:100%;max-width:none}}\
@media print{header,nav{display:none}}
";

/// The search, which the page shows only if scripts run. `NAMES` stands before it.
pub(crate) const SEARCH: &str = r#"(() => {
  const form = document.getElementById("search"), query = document.getElementById("query"), found = document.getElementById("found");
  form.hidden = false;
  const current = document.querySelector("nav [aria-current]"), nav = document.querySelector("nav");
  if (current) nav.scrollTop = current.offsetTop - nav.offsetTop - nav.clientHeight / 2;
  const most = 20;
  const score = (name, text) => {
    const last = name.slice(Math.max(name.lastIndexOf("."), name.lastIndexOf("/")) + 1);
    if (last === text) return 4;
    if (last.startsWith(text)) return 3;
    if (name.includes(text)) return 2;
    return 0;
  };
  const search = () => {
    const text = query.value.trim().toLowerCase();
    const scored = text === "" ? [] : NAMES.map((entry) => {
      const points = score(entry[0].toLowerCase(), text) || (entry[3].toLowerCase().includes(text) ? 1 : 0);
      return [points, entry];
    }).filter((pair) => pair[0] > 0).sort((a, b) => b[0] - a[0] || a[1][0].length - b[1][0].length).slice(0, most);
    found.replaceChildren(...scored.map(([, [name, kind, link]]) => {
      const item = document.createElement("li"), anchor = document.createElement("a"), small = document.createElement("small");
      anchor.href = link;
      small.textContent = " " + kind;
      anchor.append(name, small);
      item.append(anchor);
      return item;
    }));
  };
  query.addEventListener("input", search);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const first = found.querySelector("a");
    if (first) location.href = first.href;
  });
  form.addEventListener("keydown", (event) => {
    const links = [...found.querySelectorAll("a")], at = links.indexOf(document.activeElement);
    if (event.key === "ArrowDown" && links.length > 0) {
      links[Math.min(at + 1, links.length - 1)].focus();
      event.preventDefault();
    } else if (event.key === "ArrowUp" && at >= 0) {
      (at === 0 ? query : links[at - 1]).focus();
      event.preventDefault();
    } else if (event.key === "Escape") {
      query.value = "";
      search();
      query.focus();
    }
  });
  document.addEventListener("keydown", (event) => {
    const typing = /^(INPUT|TEXTAREA)$/.test(document.activeElement.tagName);
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      query.focus();
      event.preventDefault();
    }
  });
})();
"#;
