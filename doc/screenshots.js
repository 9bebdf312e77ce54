// Waits until a page has its fonts and formulas; then tells what is wrong with it, and which code and formulas do not fit.
const done = arguments[arguments.length - 1];

function look() {
  const wrong = [], wide = [], width = document.documentElement.scrollWidth;
  if (width > innerWidth) wrong.push(`scrolls sideways: ${width} of ${innerWidth} pixels`);
  for (const element of document.querySelectorAll("main :not(:has(*), .headerlink)")) {
    const scrolls = element.closest("pre, .pst-scrollable-table-container, .math, .sphx-glr-script-out, .bd-sidebar");
    if (!scrolls && element.textContent.trim() && element.getBoundingClientRect().right > innerWidth + 1)
      wrong.push("is cut off: " + element.textContent.slice(0, 80));
  }
  for (const formula of document.querySelectorAll(".math"))
    if (!formula.querySelector("mjx-container") || formula.querySelector("mjx-merror"))
      wrong.push("shows TeX: " + formula.textContent);
  const page = document.body.cloneNode(true);
  page.querySelectorAll("pre, code, script, style, mjx-container").forEach(element => element.remove());
  const tex = page.textContent.match(/\\[([]|\\[a-z]{2,}/i);
  if (tex) wrong.push("shows TeX: " + tex[0]);
  for (const code of document.querySelectorAll("article pre, article div.math, article div.math mjx-container"))
    if (code.scrollWidth > code.clientWidth)
      wide.push(code.textContent.split("\n").reduce((a, b) => (a.length < b.length ? b : a)));
  done({ wrong, wide, theme: document.documentElement.dataset.theme });
}

Promise.all([window.MathJax?.startup?.promise, document.fonts.ready]).then(() => setTimeout(look, 50));
