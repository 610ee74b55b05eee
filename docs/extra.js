// What is wider than the page is scrolled with the keyboard, too.
window.addEventListener("load", () => {
  document
    .querySelectorAll(".md-typeset__scrollwrap, .md-typeset pre > code")
    .forEach((wide) => wide.setAttribute("tabindex", "0"));
});
