// Where pages are files, the search cannot fetch them for its excerpts: it gets their texts from here.
if (location.protocol === "file:") {
  document.write('<script src="_static/texts.js"></script>');
  window.fetch = async url => {
    const main = document.createElement("div");
    main.setAttribute("role", "main");
    main.textContent = TEXTS[String(url).replace(/^\.\//, "").replace(/\.html.*$/, "")] ?? "";
    return new Response(main.outerHTML);
  };
}
