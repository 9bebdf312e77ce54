// Waits until a page has its fonts and formulas; then tells what is wrong with it, and which code it does not fit.
const done = arguments[arguments.length - 1];

function look() {
  const wrong = [], wide = [], width = document.documentElement.scrollWidth;
  if (width > innerWidth) wrong.push(`scrolls sideways: ${width} of ${innerWidth} pixels`);
  for (const formula of document.querySelectorAll(".math"))
    if (!formula.querySelector("mjx-container") || formula.querySelector("mjx-merror"))
      wrong.push("shows TeX: " + formula.textContent);
  const page = document.body.cloneNode(true);
  page.querySelectorAll("pre, code, script, style, mjx-container").forEach(element => element.remove());
  const tex = page.textContent.match(/\\[([]|\\[a-z]{2,}/i);
  if (tex) wrong.push("shows TeX: " + tex[0]);
  for (const code of document.querySelectorAll("article pre"))
    if (code.scrollWidth > code.clientWidth)
      wide.push(code.textContent.split("\n").reduce((a, b) => (a.length < b.length ? b : a)));
  done({ wrong, wide, theme: document.documentElement.dataset.theme });
}

Promise.all([window.MathJax?.startup?.promise, document.fonts.ready]).then(() => setTimeout(look, 50));
